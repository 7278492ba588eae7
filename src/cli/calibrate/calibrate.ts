import { join } from "node:path";
import { type Command, Option } from "commander";
import { type Calibration, type CalibrationOptions, calibrate, imagesOf } from "../../calibrate/calibrate.js";
import { calibrationPage } from "../../calibrate/page.js";
import { datasetProblem, type KnownProblem, mixtureProblem } from "../../calibrate/problem.js";
import { bad } from "../../errors.js";
import type { Gpu } from "../../gpu/device.js";
import type { ImageShape } from "../../networks/session.js";
import type { RestoreTask } from "../../operators/tasks.js";
import { parseInteger, parseNumber } from "../../runs/args.js";
import { checkOutdir, prepareOutdir } from "../../runs/output.js";
import { version } from "../../runs/package.js";
import { createProgress } from "../../runs/progress.js";
import { Stopwatch } from "../../runs/stopwatch.js";
import { table } from "../../runs/table.js";
import { folded } from "../../runs/terminal.js";
import { writeAtomic } from "../../runs/whole-file.js";
import { ADAPTER_HELP, type EngineOptions, openEngine } from "../parts/engine.js";
import { openTask, withOwnOperator } from "../restore/task.js";
import { parseTaskFlags, TASK_FLAGS, TASKS, type TaskFlags } from "../restore/task-flags.js";
import { entrantsFor, parseEntrants, SAMPLERS_HELP } from "./entrants.js";
import { readMixture, readSet, smoothMixture } from "./prior.js";

interface CalibrateFlags extends EngineOptions, TaskFlags {
  prior: "mixture" | "gmm" | "dataset";
  mixture?: string;
  components: number;
  data?: string;
  shape?: ImageShape;
  size?: number;
  sampler?: string;
  samplers?: string;
  cases: number;
  runs: number;
  sigmaY: number;
  seed: number;
  batch: number;
  curve: boolean;
  outdir: string;
  out?: string;
  force?: boolean;
  json?: boolean;
  quiet?: boolean;
}

const PAGE = "calibration.html";
const RECORD = "calibration.json";
const DEFAULT_SAMPLERS = "pnp-gd,pnp-gd:calibrated,diffpir";

export function registerCalibrate(program: Command): void {
  const integer = (name: string, min: number, max: number) => (text: string) => parseInteger(text, name, { min, max });
  const command = program
    .command("calibrate")
    .summary("test posterior samplers where the posterior is known exactly")
    .description(
      "Runs samplers of inverse problems with a prior whose denoiser and posterior are known exactly, in a network's place, and says of each whether its spread is right: " +
        "ranks, coverage, distance to exact draws, misfit. Exact draws are judged alike, as a control.",
    )
    .addOption(
      new Option(
        "--prior <kind>",
        "mixture (or gmm): of Gaussians, for linear tasks; dataset: a set of pictures, for any",
      )
        .choices(["mixture", "gmm", "dataset"])
        .makeOptionMandatory(),
    )
    .option("--mixture <file>", "a mixture of your own: means, covs and weights in one .safetensors file")
    .option("--components <n>", "components of the random mixture", integer("--components", 1, 1000), 3)
    .option("--data <path>", "pictures of the set: as `restore` reads them (default: bundled held-out images)")
    .option("--shape <c,h,w>", "of one picture (default: 1,8,8 of the mixture, 1,32,32 of the set)", parseShape)
    .option("--size <n>", "average the set's pictures over blocks, to n x n", integer("--size", 1, 4096))
    .option("--sampler <list>", `${SAMPLERS_HELP} (default: ${DEFAULT_SAMPLERS})`)
    .addOption(new Option("--samplers <list>", "the same").hideHelp())
    .option("--cases <n>", "truths, each with one measurement", integer("--cases", 10, 100000), 100)
    .option("--runs <n>", "samples per measurement", integer("--runs", 4, 999), 19)
    .option(
      "--sigma-y <x>",
      "standard deviation of the measurement noise",
      (t: string) => parseNumber(t, "--sigma-y", { above: 0 }),
      0.05,
    )
    .option("--seed <n>", "of truths, noise and samples", integer("--seed", 0, 65535), 0)
    .option("--batch <n>", "images at a time", integer("--batch", 1, 65536), 2048)
    .option("--no-curve", "leave out the runs with a quarter, half and twice the steps")
    .option("--outdir <dir>", `where ${PAGE} and ${RECORD} go`, "out")
    .option("--out <file>", "also write the page here")
    .option("--force", "overwrite files that are not ours")
    .option("--adapter <name>", ADAPTER_HELP)
    .option("--json", "print one JSON object on stdout")
    .option("--quiet", "no progress")
    .optionsGroup("Task:")
    .option("--task <name>", TASKS.join(", "))
    .option("--operator <file>", "in place of --task: a JavaScript module with an operator of your own");
  for (const flag of TASK_FLAGS.values()) command.option(flag.option, flag.help);
  command
    .addHelpText(
      "after",
      [
        "",
        "Examples:",
        "  ncvsd-gpu calibrate --prior mixture --task box_inpainting --outdir calibration",
        "  ncvsd-gpu calibrate --prior dataset --data pictures --size 8 \\",
        "    --task phase_retrieval --sigma-y 0.2 --sampler daps,pnp-gd",
      ].join("\n"),
    )
    .action(async (flags: CalibrateFlags) => {
      const watch = new Stopwatch();
      parseTaskFlags(flags);
      if (flags.sampler !== undefined && flags.samplers !== undefined)
        throw bad("--sampler and --samplers are the same: give one");
      if (flags.prior === "dataset" && flags.mixture !== undefined)
        throw bad("--mixture is for --prior mixture: leave it out, or give --data");
      if (flags.prior !== "dataset" && (flags.data !== undefined || flags.size !== undefined))
        throw bad("--data and --size are for --prior dataset: leave them out");
      const asked = parseEntrants(flags.sampler ?? flags.samplers ?? DEFAULT_SAMPLERS);
      checkOutdir(flags.outdir);
      const gpu = await openEngine(flags, watch);
      try {
        await withOwnOperator(flags.operator, () => run(gpu, flags, asked));
      } finally {
        gpu.close();
      }
    });
}

function parseShape(text: string): ImageShape {
  const list = text.split(",").map((part) => parseInteger(part, "--shape", { min: 1, max: 4096 }));
  if (list.length !== 3) throw bad(`--shape "${text}": channels, height and width, such as 1,8,8`);
  return [list[0]!, list[1]!, list[2]!];
}

async function run(gpu: Gpu, flags: CalibrateFlags, asked: ReturnType<typeof parseEntrants>): Promise<void> {
  const silent = Boolean(flags.quiet || flags.json);
  const say = (line: string) => {
    if (!silent) process.stderr.write(`${line}\n`);
  };
  const { problem, task } = await open(gpu, flags, say);
  const entrants = entrantsFor(asked, problem.model, task, flags.sigmaY);
  const { cases, runs, seed, curve, batch } = flags;
  const options: CalibrationOptions = { problem, entrants, cases, runs, seed, curve, batch };
  say(`${gpu.info.name}: ${problem.prior}, ${task.name} (${task.description})`);
  for (const note of task.notes) say(note);
  const progress = createProgress({ total: imagesOf(options), label: "sampling", unit: "image", silent });
  let done = 0;
  const found = await calibrate({
    ...options,
    onProgress(images) {
      done += images;
      progress.update(done);
    },
  }).finally(() => progress.stop());
  const page = calibrationPage(found, {
    ...{ task: task.name, description: task.description, version, adapter: gpu.info.name },
    date: new Date().toISOString().slice(0, 10),
    command: ["ncvsd-gpu", ...process.argv.slice(2)].join(" "),
  });
  const record = { tool: "ncvsd-gpu", version, task: task.name, taskOptions: task.options, ...found };
  prepareOutdir(flags.outdir);
  writeAtomic(join(flags.outdir, PAGE), page);
  writeAtomic(join(flags.outdir, RECORD), `${JSON.stringify(record, null, 1)}\n`);
  if (flags.out !== undefined) writeAtomic(flags.out, page);
  await problem.close();
  if (flags.json) process.stdout.write(`${JSON.stringify({ outdir: flags.outdir, ...record })}\n`);
  else process.stdout.write(`${summary(found)}\n${join(flags.outdir, PAGE)}\n`);
}

async function open(gpu: Gpu, flags: CalibrateFlags, say: (line: string) => void) {
  const { sigmaY } = flags;
  const given = ({ operator, observed }: RestoreTask) => ({ operator, observed, sigmaY });
  if (flags.prior === "dataset") {
    const { data, shape = [1, 32, 32] as const, size } = flags;
    const set = await readSet(gpu, { data, shape, size }, say);
    const task = await openTask(gpu, flags, set.shape);
    return { problem: await datasetProblem(gpu, set, given(task)), task };
  }
  const mix = flags.mixture === undefined ? undefined : await readMixture(flags.mixture);
  const shape: ImageShape = flags.shape ?? (mix ? [1, 1, mix.dims] : [1, 8, 8]);
  const task = await openTask(gpu, flags, shape);
  const prior = mix ?? smoothMixture(shape, flags.components, flags.seed);
  const problem: KnownProblem = await mixtureProblem(gpu, prior, given(task));
  return { problem, task };
}

/** The table for a terminal. */
function summary(c: Calibration): string {
  const rows = [{ label: "exact draws", ...c.control, evaluations: 0 }, ...c.entries].map((entry) => {
    const { all, hpd, factor, gap, misfit, slicedW1 } = { ...entry.judgement, factor: entry.judgement.all.factor };
    const two = (v: { value: number }) => v.value.toFixed(2);
    return [
      entry.label,
      String(entry.evaluations),
      ...[all.central[50], all.central[90], hpd[50], hpd[90], factor, gap, misfit, slicedW1].map(two),
    ];
  });
  const head = ["sampler", "evaluations", "central 50", "90", "HPD 50", "90", "factor", "gap", "misfit", "W1"];
  const lines = [{ label: "exact draws", ...c.control }, ...c.entries].map(
    ({ label, verdict }) => `${label}: ${verdict}`,
  );
  const failed = c.control.passed
    ? []
    : ["The check itself failed: exact draws were judged wrong, and nothing else counts."];
  const words = folded([...failed, ...lines].join("\n"), process.stdout.columns || Infinity);
  return [...table(head, rows, { gap: 1, cut: ["sampler"] }), "", words].join("\n");
}
