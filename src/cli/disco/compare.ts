import { basename } from "node:path";
import { type Command, Option } from "commander";
import { openCheckpoint } from "../../checkpoint/index.js";
import { BENCHMARK_DIMS, benchmarkMixture, randomMixture } from "../../data/mixtures.js";
import { bad, counted, orAll, quote } from "../../errors.js";
import {
  compareMethods,
  diffusionMethod,
  exactMethod,
  gridMethod,
  type Method,
  type MethodResult,
  seedSummaries,
  smcMethod,
  summary,
} from "../../evaluate/comparison.js";
import { comparisonPage, type ScoreField } from "../../evaluate/comparison-page.js";
import type { Gpu } from "../../gpu/device.js";
import { type DiscoModel, loadDisco } from "../../networks/energy/model.js";
import { type GaussianMixture, gaussianMixture } from "../../priors/mixture.js";
import { MAX_SEED, parseInteger, parseNumber } from "../../runs/args.js";
import { bundledMixtures, version } from "../../runs/package.js";
import { createProgress } from "../../runs/progress.js";
import { Stopwatch } from "../../runs/stopwatch.js";
import { table } from "../../runs/table.js";
import { writeAtomic } from "../../runs/whole-file.js";
import { openDisco } from "../../train/disco.js";
import { discoSchedule } from "../../train/disco-settings.js";
import { ADAPTER_HELP, type EngineOptions, openEngine } from "../parts/engine.js";

const METHODS = ["exact", "disco", "grid", "replacement", "guidance", "tds"] as const;
type MethodName = (typeof METHODS)[number];

interface CompareFlags extends EngineOptions {
  data: string;
  dataSeed?: number;
  model?: string[];
  diffusion?: string[];
  trainSteps?: number;
  points: number;
  seeds: number;
  n: number;
  methods: MethodName[];
  cool?: number;
  seed: number;
  out: string;
  json?: boolean;
  quiet?: boolean;
}

/** Data that networks are trained on. */
const TRAINING_DATA = 100_000;
/** Steps between signs of progress. */
const TOGETHER = 20;
/** Rows of particles at a time. */
const ROWS = 2 ** 18;
const ROWS_ON_A_PROCESSOR = 2 ** 14;

function parseMethods(text: string): MethodName[] {
  const names = text.split(",").map((name) => name.trim());
  for (const name of names)
    if (!(METHODS as readonly string[]).includes(name))
      throw bad(`--methods: there is no ${quote(name)}; ${orAll(name, METHODS)}`);
  return [...new Set(names)] as MethodName[];
}

export function registerDiscoCompare(disco: Command): Command {
  const count = (name: string, max: number) => (t: string) => parseInteger(t, name, { min: 1, max });
  return disco
    .command("compare")
    .summary("conditionals of DISCO and of diffusion heuristics against the truth")
    .description(
      "Samples conditionals of a Gaussian mixture by DISCO and by the heuristics of diffusion models, and measures their 1-Wasserstein " +
        "distances to the truth: one page with a table, densities, scores and box plots. Networks that are not given are trained first.",
    )
    .option(
      "--data <mixture>",
      "gmm:D, a random mixture of D columns, or a safetensors file with means, covs, weights",
      "gmm:2",
    )
    .option("--data-seed <int>", "a random mixture of this seed, not the benchmark's (D = 2, 10, 50)", (t: string) =>
      parseInteger(t, "--data-seed", { min: 0, max: MAX_SEED }),
    )
    .option("--model <file...>", "DISCO's network, or several, which the seeds take in turn (default: trained here)")
    .option("--diffusion <file...>", "the diffusion model, or several (default: trained here)")
    .option(
      "--train-steps <count>",
      "of networks that are trained here, in batches as those of `disco train` (16000 up to 2 columns, else 100000)",
      count("--train-steps", 10_000_000),
    )
    .option("--points <count>", "conditions", count("--points", 100_000), 100)
    .option("--seeds <count>", "runs of every condition", count("--seeds", 1000), 3)
    .option("--n <count>", "samples of a run", count("--n", 2 ** 20), 1024)
    .addOption(
      new Option("--methods <list>", `among ${METHODS.join(", ")} (grid: DISCO integrated, with no sampler)`)
        .argParser(parseMethods)
        .default(parseMethods("exact,disco,grid,replacement,guidance,tds"), "all"),
    )
    .option("--cool <sigma>", "also DISCO with this sigma_s", (t: string) => parseNumber(t, "--cool", { above: 0 }))
    .option("--seed <int>", "of the draws", (t: string) => parseInteger(t, "--seed", { min: 0, max: MAX_SEED }), 0)
    .option("--out <file>", "the page", "report.html")
    .option("--force", "replace a file that is there, whoever made it")
    .option("--adapter <name>", ADAPTER_HELP)
    .option("--json", "print one JSON object on stdout")
    .option("--quiet", "no progress")
    .addHelpText(
      "after",
      [
        "",
        "Examples:",
        "  ncvsd-gpu disco compare --data gmm:2 --points 20 --seeds 1 \\",
        "    --methods exact,disco,replacement",
        "  ncvsd-gpu disco compare --data mixture.safetensors \\",
        "    --model energy.safetensors --diffusion diffusion.safetensors",
      ].join("\n"),
    )
    .action(async (flags: CompareFlags) => {
      const data = await dataOf(flags);
      const gpu = await openEngine(flags, new Stopwatch());
      try {
        await compare(gpu, flags, data);
      } finally {
        gpu.close();
      }
    });
}

interface Data {
  readonly mixture: GaussianMixture;
  /** Conditions that belong to it, row by row; more are drawn. */
  readonly testPoints?: ArrayLike<number>;
}

/** The mixture that `--data` names. */
async function dataOf({ data, dataSeed }: CompareFlags): Promise<Data> {
  const text = /^gmm:(.*)$/.exec(data)?.[1];
  if (text !== undefined) {
    const dims = parseInteger(text, "--data gmm:D", { min: 2, max: 128 });
    if (dataSeed === undefined && BENCHMARK_DIMS.includes(dims)) return benchmarkMixture(bundledMixtures, dims);
    return { mixture: randomMixture(dims, dataSeed ?? 0) };
  }
  if (dataSeed !== undefined) throw bad("--data-seed is that of a random mixture, --data gmm:D");
  const file = await openCheckpoint(data);
  try {
    const missing = ["means", "covs", "weights"].find((name) => !file.tensors.has(name));
    if (missing) throw bad(`--data ${quote(data)} has no tensor ${missing}: a mixture has means, covs and weights`);
    const [means, covs, weights] = await Promise.all(["means", "covs", "weights"].map((name) => file.readF32(name)));
    const mixture = gaussianMixture({ means: means!, covs: covs!, weights: weights! });
    if (mixture.dims < 2) throw bad(`--data ${quote(data)} has one column: there is nothing to condition it on`);
    return {
      mixture,
      ...(file.tensors.has("test_points") ? { testPoints: await file.readF32("test_points") } : {}),
    };
  } finally {
    await file.close();
  }
}

/** The first conditions: those of the data, then draws. */
function pointsOf({ mixture, testPoints = [] }: Data, count: number, seed: number): Float64Array[] {
  const { dims } = mixture;
  const known = Math.floor(testPoints.length / dims);
  const drawn = count > known ? mixture.sample(count - known, seed) : new Float64Array();
  return Array.from({ length: count }, (_, n) =>
    Float64Array.from({ length: dims }, (_, d) =>
      n < known ? testPoints[n * dims + d]! : drawn[(n - known) * dims + d]!,
    ),
  );
}

/** How networks that are not given are trained, both alike. */
function scheduleOf({ trainSteps }: CompareFlags, dims: number) {
  const schedule = discoSchedule(dims);
  return { ...schedule, steps: trainSteps ?? schedule.steps };
}

/** Networks from their files, or one trained on draws of the mixture. */
async function networks(
  gpu: Gpu,
  flags: CompareFlags,
  mixture: GaussianMixture,
  diffusion: boolean,
): Promise<[DiscoModel, ...DiscoModel[]]> {
  const files = diffusion ? flags.diffusion : flags.model;
  if (!files) return [await trained(gpu, flags, mixture, diffusion)];
  const option = diffusion ? "--diffusion" : "--model";
  if (files.length > flags.seeds)
    throw bad(
      `${option} names ${files.length} networks, and --seeds ${flags.seeds} leaves some of them without a turn`,
    );
  const models: DiscoModel[] = [];
  for (const file of files) {
    const model = await loadDisco(gpu, file);
    models.push(model);
    if (model.dims !== mixture.dims)
      throw bad(`${option} ${quote(file)} has ${model.dims} columns, the mixture ${mixture.dims}`);
    if (model.conditional !== diffusion)
      throw bad(
        `${option} ${quote(file)} ${model.conditional ? "takes noise levels" : "takes no noise levels"}: it is not the network for this option`,
      );
    if (model.config.sigma_min !== models[0]!.config.sigma_min)
      throw bad(
        `${option} ${quote(file)} is of another smoothing than ${quote(files[0]!)}: one truth cannot do for both`,
      );
  }
  return models as [DiscoModel, ...DiscoModel[]];
}

async function trained(
  gpu: Gpu,
  flags: CompareFlags,
  mixture: GaussianMixture,
  diffusion: boolean,
): Promise<DiscoModel> {
  const { steps, batch, lr } = scheduleOf(flags, mixture.dims);
  const training = await openDisco(gpu, {
    data: Float32Array.from(mixture.sample(TRAINING_DATA, flags.dataSeed ?? 0)),
    dims: mixture.dims,
    diffusion,
    batch,
    lr: { peak: lr, final: lr / 100, warmup: Math.min(100, Math.floor(steps / 10)), steps },
    seed: flags.seed,
  });
  const label = diffusion ? "training the diffusion model" : "training DISCO";
  const progress = createProgress({ total: steps, label, unit: "step", silent: Boolean(flags.quiet || flags.json) });
  try {
    for (let done = 0; done < steps; done = training.steps) {
      await training.train(Math.min(TOGETHER, steps - done));
      progress.update(training.steps);
    }
    return await loadDisco(gpu, await training.snapshot());
  } finally {
    progress.stop();
    training.close();
  }
}

async function compare(gpu: Gpu, flags: CompareFlags, data: Data): Promise<void> {
  const { mixture } = data;
  const { methods, points: count, seeds, n: particles, cool, seed } = flags;
  const needsDiffusion = methods.some((name) => !["exact", "disco", "grid"].includes(name));
  const models = methods.some((name) => name === "disco" || name === "grid")
    ? await networks(gpu, flags, mixture, false)
    : undefined;
  const diffusions = needsDiffusion ? await networks(gpu, flags, mixture, true) : undefined;
  const sigma = (models ?? diffusions)?.[0].config.sigma_min ?? 0.1;
  const all: Method[] = methods.flatMap((name) => {
    if (name === "exact") return [exactMethod(gpu, mixture, sigma)];
    if (name === "disco") {
      const cooled = cool === undefined ? [] : [smcMethod(`DISCO, ${cool}`, models!, cool)];
      return [smcMethod("DISCO", models!), ...cooled];
    }
    if (name === "grid") return [gridMethod("DISCO, integrated", models!)];
    const method = name === "tds" ? "twisted" : name;
    return [diffusionMethod(name === "tds" ? "TDS" : name, diffusions!, method)];
  });
  const { dims } = mixture;
  const points = pointsOf(data, count, seed);
  const total = all.length * seeds * count;
  const progress = createProgress({
    total,
    label: "sampling",
    unit: "conditional",
    silent: Boolean(flags.quiet || flags.json),
  });
  let results: MethodResult[];
  try {
    results = await compareMethods(all, {
      mixture,
      sigma,
      points,
      seeds,
      particles,
      show: shownPoint(mixture, sigma, points),
      rows: gpu.caps.software ? ROWS_ON_A_PROCESSOR : ROWS,
      onProgress: (done, method) =>
        progress.update(all.findIndex(({ name }) => name === method) * seeds * count + done),
    });
  } finally {
    progress.stop();
  }
  const fields = dims === 2 ? await scoreFields(mixture, sigma, models?.[0], diffusions?.[0]) : undefined;
  const shown = points[shownPoint(mixture, sigma, points)]!;
  const given = { indices: Array.from({ length: dims - 1 }, (_, d) => d), values: shown.subarray(0, dims - 1) };
  const name = basename(flags.data);
  const { steps, batch } = scheduleOf(flags, dims);
  const networksUsed = [
    ...(models
      ? (flags.model?.map((file) => basename(file)) ?? [`DISCO trained for ${counted(steps, "step")} of ${batch}`])
      : []),
    ...(diffusions
      ? (flags.diffusion?.map((file) => basename(file)) ?? [
          `a diffusion model trained for ${counted(steps, "step")} of ${batch}`,
        ])
      : []),
  ];
  const about = `${name}, ${counted(mixture.weights.length, "component")} in ${counted(dims, "column")}; ${(models || diffusions ? networksUsed : ["no network"]).join("; ")}; ${gpu.info.name}; ncvsd-gpu ${version}, ${new Date().toISOString().slice(0, 10)}.`;
  writeAtomic(
    flags.out,
    Buffer.from(
      comparisonPage({
        title: `Conditionals of ${name}`,
        about,
        results,
        points: count,
        seeds,
        particles,
        shown: {
          given: dims === 2 ? `column 0 = ${shown[0]!.toFixed(2)}` : "all other columns",
          clean: mixture.conditional(given),
          smoothed: mixture.smoothed(sigma).conditional(given),
        },
        ...(fields ? { fields } : {}),
      }),
    ),
  );
  const rows = results.map(({ name, cost, clean, smoothed, seconds }) => ({
    name,
    cost,
    clean: summary(clean),
    smoothed: summary(smoothed),
    ...(seeds > 1 ? { seeds: { clean: seedSummaries(clean, seeds), smoothed: seedSummaries(smoothed, seeds) } } : {}),
    seconds,
  }));
  if (flags.json)
    process.stdout.write(
      `${JSON.stringify({ out: flags.out, data: flags.data, points: count, seeds, n: particles, sigma, methods: rows })}\n`,
    );
  else {
    const cells = rows.map(({ name, clean, smoothed }) => [
      name,
      ...[clean.mean, clean.max, smoothed.mean, smoothed.max].map((v) => v.toFixed(3)),
    ]);
    const head = ["W1", "clean: mean", "largest", "smoothed: mean", "largest"];
    const stream = process.stderr;
    stream.write(`${table(head, cells, { cut: ["W1"], stream }).join("\n")}\n`);
    process.stdout.write(`${flags.out}\n`);
  }
}

/** Of the first conditions the one whose truth spreads most: several modes, where methods differ. */
function shownPoint(mixture: GaussianMixture, sigma: number, points: readonly Float64Array[]): number {
  const indices = Array.from({ length: mixture.dims - 1 }, (_, d) => d);
  const spreads = points.slice(0, 50).map((point) => {
    const { weights, means, covs } = mixture
      .smoothed(sigma)
      .conditional({ indices, values: point.subarray(0, mixture.dims - 1) });
    const mean = weights.reduce((sum, w, k) => sum + w * means[k]!, 0);
    return weights.reduce((sum, w, k) => sum + w * (covs[k]! + (means[k]! - mean) ** 2), 0);
  });
  return spreads.indexOf(Math.max(...spreads));
}

/** Lengths of the scores on [-3, 3]^2: the networks', then the truth's. */
async function scoreFields(mixture: GaussianMixture, sigma: number, model?: DiscoModel, diffusion?: DiscoModel) {
  const [size, range] = [81, [-3, 3] as const];
  const at = (i: number) => range[0] + ((range[1] - range[0]) * i) / (size - 1);
  const x = Float32Array.from({ length: 2 * size * size }, (_, i) => {
    const point = i >> 1;
    return at(i % 2 === 0 ? point % size : Math.floor(point / size));
  });
  const norms = (score: ArrayLike<number>) =>
    Float64Array.from({ length: size * size }, (_, i) => Math.hypot(score[2 * i]!, score[2 * i + 1]!));
  const all: ScoreField[] = [];
  if (diffusion) {
    const { score } = await diffusion.evaluate({ x, labels: [diffusion.config.levels - 1] });
    all.push({ title: "diffusion model, smallest level", norms: norms(score) });
  }
  if (model) all.push({ title: "DISCO", norms: norms((await model.evaluate({ x })).score) });
  all.push({ title: "truth, smoothed", norms: norms(mixture.smoothed(sigma).score(x)) });
  return { size, range, all };
}
