import { type Command, Option } from "commander";
import { npyBytes } from "../../checkpoint/npy-write.js";
import { bad, counted, quote } from "../../errors.js";
import { COLOURS, densityFigure, kernelDensity, planeFigure } from "../../evaluate/density-plot.js";
import { written } from "../../figures/font.js";
import { svgToPng } from "../../figures/rasterise.js";
import type { Gpu } from "../../gpu/device.js";
import { MAX_SEED, parseInteger, parseNumber } from "../../runs/args.js";
import { version } from "../../runs/package.js";
import { Stopwatch } from "../../runs/stopwatch.js";
import { warn } from "../../runs/terminal.js";
import { writeAtomic } from "../../runs/whole-file.js";
import { sampleHmc } from "../../sample/particles/hmc.js";
import { sampleSmc } from "../../sample/particles/smc.js";
import { sampleUla } from "../../sample/particles/ula.js";
import { ADAPTER_HELP, type EngineOptions, openEngine } from "../parts/engine.js";
import { checkSampler, checkSeen, givenOf, openDiscoModel, parseGiven, type Table } from "./model.js";
import {
  checkPictureFlags,
  isPictureModel,
  MASK_NAMES,
  PICTURES,
  type PictureSampleFlags,
  samplePictures,
} from "./sample-pictures.js";
import { refuseGiven } from "./train-pictures.js";

interface SampleFlags extends EngineOptions {
  model: string;
  given?: [string, number][];
  n: number;
  sampler: "smc" | "hmc" | "ula";
  cool?: number;
  tau?: number;
  moves?: number;
  leapfrog?: number;
  steps?: number;
  seed: number;
  out: string;
  plot?: string;
  json?: boolean;
}

/** What is said of tables by default; of pictures it is something else. */
const TABLE_DEFAULTS = { n: 4096, out: "samples.npy" };
type GivenFlags = Omit<SampleFlags, keyof typeof TABLE_DEFAULTS> & PictureSampleFlags;

/** Which settings belong to which sampler. */
const SETTINGS = { smc: ["tau", "moves", "leapfrog"], hmc: ["steps", "leapfrog"], ula: ["steps"] } as const;

export function registerDiscoSample(disco: Command): Command {
  return disco
    .command("sample")
    .summary("samples of some columns given the others, or pictures")
    .description(
      "Samples the columns that --given leaves open, given the others, from a network of `disco train`: a NumPy array with a row per " +
        "sample and a column for each that is open, in their order and in the table's units. Without --given: the whole table's " +
        "columns; to marginalise, leave columns of the samples out. From a model of pictures: a sheet of them, by Heun's sampler, or of " +
        "completions of pictures of which some pixels are given.",
    )
    .requiredOption("--model <file>", "the network's weights (.safetensors)")
    .option("--n <count>", "samples (4096), or pictures, of each --image (16)", (t: string) =>
      parseInteger(t, "--n", { min: 1, max: 2 ** 22 }),
    )
    .option("--steps <count>", "hmc: transitions (100); ula: steps (500); of Heun's sampler (18)", (t: string) =>
      parseInteger(t, "--steps", { min: 1, max: 1_000_000 }),
    )
    .option("--seed <int>", "of the draws", (t: string) => parseInteger(t, "--seed", { min: 0, max: MAX_SEED }), 0)
    .option("--out <file>", "the samples (samples.npy, samples.png)")
    .option("--force", "replace a file that is there, whoever made it")
    .option("--adapter <name>", ADAPTER_HELP)
    .option("--json", "print one JSON object on stdout")
    .optionsGroup("Tables:")
    .option("--given <list>", "columns by number or name and their values: 0=1.75,2=-0.3", parseGiven)
    .addOption(
      new Option("--sampler <name>", "tempered sequential Monte Carlo, or chains: Hamiltonian, unadjusted Langevin")
        .choices(["smc", "hmc", "ula"])
        .default("smc"),
    )
    .option(
      "--cool <sigma>",
      "sigma_s below the model's own smoothing: sharpens modes, and squares their ratios",
      (t: string) => parseNumber(t, "--cool", { above: 0 }),
    )
    .option("--tau <share>", "smc: effective sample size at an increment (0.75)", (t: string) =>
      parseNumber(t, "--tau", { above: 0, max: 0.999 }),
    )
    .option("--moves <count>", "smc: Hamiltonian transitions per temperature (2)", (t: string) =>
      parseInteger(t, "--moves", { min: 1, max: 1000 }),
    )
    .option("--leapfrog <count>", "smc, hmc: steps of a transition (2, 10)", (t: string) =>
      parseInteger(t, "--leapfrog", { min: 1, max: 1000 }),
    )
    .option("--plot <file>", "also draw their densities (.svg, .png)")
    .optionsGroup("Pictures:")
    .option("--image <path>", "pictures of which some pixels are given: a file, or a folder of them")
    .option("--mask <which>", `the pixels that are given: ${MASK_NAMES}, or a file (white: given)`)
    .addOption(
      new Option("--as <how>", "given pixels beside noisy ones; clean suits models trained with --known")
        .choices(["noisy", "clean"])
        .default("noisy"),
    )
    .option("--sigma-max <sigma>", "noise level that sampling begins with (80)", (t: string) =>
      parseNumber(t, "--sigma-max", { above: 0 }),
    )
    .addHelpText(
      "after",
      [
        "",
        "Examples:",
        "  ncvsd-gpu disco sample --model model.safetensors --given 0=1.75 \\",
        "    --out samples.npy --plot samples.svg",
        "  ncvsd-gpu disco sample --model table.safetensors --n 100000 \\",
        "    --given age=41,height=1.8",
        "  ncvsd-gpu disco sample --model fashion.safetensors --image shirt.png \\",
        "    --mask left --as clean --n 8",
      ].join("\n"),
    )
    .action(async (given: GivenFlags, command: Command) => {
      if (await isPictureModel(given.model)) {
        checkPictureFlags(given, command);
        const gpu = await openEngine(given, new Stopwatch());
        try {
          return await samplePictures(gpu, given);
        } finally {
          gpu.close();
        }
      }
      refuseGiven(command, PICTURES, `is for models of pictures: --model ${given.model} is of a table`);
      const flags: SampleFlags = { ...TABLE_DEFAULTS, ...given };
      for (const name of ["tau", "moves", "leapfrog", "steps"] as const) {
        const fits = (SETTINGS[flags.sampler] as readonly string[]).includes(name);
        if (flags[name] !== undefined && !fits)
          throw bad(`--${name} is no setting of ${flags.sampler}, which has --${SETTINGS[flags.sampler].join(", --")}`);
      }
      if (flags.plot !== undefined && !/\.(svg|png)$/i.test(flags.plot))
        throw bad(`--plot ${quote(flags.plot)}: the figure is an SVG or a PNG; name it .svg or .png`);
      const watch = new Stopwatch();
      const gpu = await openEngine(flags, watch);
      try {
        await run(gpu, flags);
      } finally {
        gpu.close();
      }
    });
}

async function run(gpu: Gpu, flags: SampleFlags): Promise<void> {
  const { model, table } = await openDiscoModel(gpu, flags.model);
  checkSampler(flags.model, model, flags.sampler);
  const given = givenOf(flags.given ?? [], table);
  for (const notice of checkSeen(given, table, model.config)) warn(notice);
  const sigma = flags.cool ?? model.config.sigma_min;
  const started = performance.now();
  const { n: particles, seed, leapfrog, tau, moves, steps } = flags;
  const shared = { given, particles, sigma, seed };
  const set = <T extends object>(options: T) =>
    Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
  const drawn = await {
    smc: async () => {
      const { samples, logEvidence, betas, acceptance, evaluations } = await sampleSmc(model, {
        ...shared,
        ...set({ tau, moves, leapfrog }),
      });
      return {
        samples,
        evaluations,
        about: { temperatures: betas.length, acceptance: acceptance.map(([a]) => a!), logEvidence: logEvidence[0]! },
      };
    },
    hmc: async () => {
      const { samples, acceptance, evaluations } = await sampleHmc(model, { ...shared, ...set({ steps, leapfrog }) });
      return { samples, evaluations, about: { acceptance: [acceptance[0]!] } };
    },
    ula: async () => ({ ...(await sampleUla(model, { ...shared, ...set({ steps }) })), about: {} }),
  }[flags.sampler]();
  const seconds = (performance.now() - started) / 1000;
  const open = Array.from({ length: model.dims }, (_, d) => d).filter((d) => !given.indices.includes(d));
  const values = drawn.samples.map((v, i) => {
    const d = open[i % open.length]!;
    return v * table.std[d]! + table.mean[d]!;
  });
  writeAtomic(flags.out, npyBytes(values, [particles, open.length]));
  if (flags.plot !== undefined) {
    const png = /\.png$/i.test(flags.plot);
    const svg = figure(values, open, table, flags);
    writeAtomic(flags.plot, png ? await figurePng(svg) : Buffer.from(svg));
  }
  const result = {
    out: flags.out,
    n: particles,
    columns: open.map((d) => table.columns[d]!),
    given: Object.fromEntries((flags.given ?? []).map(([name, value]) => [name, value])),
    sampler: flags.sampler,
    sigma,
    seed,
    evaluations: drawn.evaluations,
    ...drawn.about,
    seconds,
    adapter: gpu.info.name,
    ...(flags.plot === undefined ? {} : { plot: flags.plot }),
  };
  if (flags.json) process.stdout.write(`${JSON.stringify(result)}\n`);
  else {
    process.stderr.write(
      `${counted(particles, "sample")} of ${result.columns.join(", ")} in ${seconds.toFixed(2)} s: ${counted(drawn.evaluations, "gradient")} each\n`,
    );
    process.stdout.write(`${flags.out}\n`);
  }
}

/** A figure as a PNG, whose font is its own and has not the letters of all columns' names. */
const figurePng = (svg: string) =>
  svgToPng(svg.replace(/\P{ASCII}+/gu, written), { text: { "ncvsd-gpu:figure": version } });

/** One open column: its density. More: the plane of the first two. */
function figure(values: Float32Array, open: readonly number[], { columns }: Table, flags: SampleFlags): string {
  const label = (name: string) => (/^\d+$/.test(name) ? `column ${name}` : name);
  const said = (flags.given ?? []).map(([name, value]) => `${label(name)} = ${value}`).join(", ");
  const title = `${counted(flags.n, "sample")}${said && ` given ${said}`}`;
  const column = (j: number) => values.filter((_, i) => i % open.length === j);
  const first = column(0);
  if (open.length > 1) {
    const second = column(1);
    return planeFigure(
      title,
      [label(columns[open[0]!]!), label(columns[open[1]!]!)],
      Array.from(first, (v, i) => [v, second[i]!] as const),
    );
  }
  const [low, high] = first.reduce(([a, b], v) => [Math.min(a, v), Math.max(b, v)], [Infinity, -Infinity]);
  const pad = 0.1 * (high! - low! || 1);
  const points = kernelDensity(first, [low! - pad, high! + pad]);
  return densityFigure(title, label(columns[open[0]!]!), [{ name: "samples", points, colour: COLOURS[0]! }]);
}
