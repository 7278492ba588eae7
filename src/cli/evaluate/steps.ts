import { type Command, Option } from "commander";
import { shapeText } from "../../data/inputs.js";
import { bad, quote } from "../../errors.js";
import { MOST_IMAGES } from "../../evaluate/check.js";
import { fewSamples } from "../../evaluate/frechet.js";
import { checkFinite, momentsOf, statisticsOf } from "../../evaluate/statistics.js";
import type { Gpu } from "../../gpu/device.js";
import { fromByte, toByte } from "../../image/pixels.js";
import type { Model } from "../../networks/edm2/model.js";
import { FeatureExtractor } from "../../networks/features/extractor.js";
import { MAX_SEED, parseInteger, parseTs } from "../../runs/args.js";
import type { BatchSize } from "../../runs/batch-size.js";
import { bundledCheckpoint, bundledFeatures, bundledReference } from "../../runs/package.js";
import { createProgress } from "../../runs/progress.js";
import { Stopwatch } from "../../runs/stopwatch.js";
import { table } from "../../runs/table.js";
import { warn } from "../../runs/terminal.js";
import { sampleMultiStep } from "../../sample/multi-step.js";
import { MULTI_STEP_LEVELS } from "../../sample/schedule.js";
import { ADAPTER_HELP, BATCH_HELP, batchFor, type EngineOptions, loadNetwork, openEngine } from "../parts/engine.js";
import { NET_HELP } from "../parts/published.js";
import { type OpenedReference, openReference } from "./options.js";

interface StepsFlags extends EngineOptions {
  net?: string;
  lists?: number[][];
  most: number;
  every: number;
  n: number;
  seed: number;
  ref?: string;
  features?: string;
  batch?: number;
  json?: boolean;
  quiet?: boolean;
}

/** Time steps that can be evaluated: the last of the 40 levels is where sampling ends. */
const LEVELS = MULTI_STEP_LEVELS - 1;

interface Tried {
  readonly ts: readonly number[];
  readonly fd: number;
}

export function registerEvaluateSteps(evaluate: Command): Command {
  const integer = (name: string, min: number, max: number) => (t: string) => parseInteger(t, name, { min, max });
  const command = evaluate
    .command("steps")
    .summary("find the time steps that suit a few-step network")
    .description(
      "Which time steps are best is a property of a network: compares lists of them by the Frechet distance of some images, the same " +
        "seeds for each. Without --lists it searches: the best step, then the best to add to it, and so on.",
    )
    .option("--net <file>", NET_HELP)
    .option("--lists <lists>", 'lists to compare, such as "10;0,16;0,4,8,12"', parseLists)
    .addOption(new Option("--most <k>", "steps to search for").argParser(integer("--most", 1, 8)).default(2))
    .addOption(
      new Option("--every <d>", `of the ${LEVELS} levels the search tries every d-th`)
        .argParser(integer("--every", 1, LEVELS))
        .default(4),
    )
    .addOption(
      new Option("--n <images>", "images for each list").argParser(integer("--n", 2, MOST_IMAGES)).default(1000),
    )
    .addOption(new Option("--seed <s>", "seed of the first one").argParser(integer("--seed", 0, MAX_SEED)).default(0))
    .option("--ref <file>", "reference statistics, .safetensors or .npz (default: those of the bundled data)")
    .option("--features <file>", "the feature network (default: the bundled fashion32-features)");
  return command
    .option("--batch <n>", `images ${BATCH_HELP}`, integer("--batch", 1, 65536))
    .option("--adapter <name>", ADAPTER_HELP)
    .option("--json", "print one JSON object on stdout")
    .option("--quiet", "no progress")
    .option("--verbose", "stacks of errors")
    .addHelpText(
      "after",
      [
        "",
        "Examples:",
        "  ncvsd-gpu evaluate steps --net distilled/snapshot-0001048-0.050.safetensors",
        '  ncvsd-gpu evaluate steps --lists "10;0,16;0,4,8,12" --n 2000',
        "Distances of few images are too high, for all lists alike: their order is what",
        "counts, and that only as far as they differ by more than some percent.",
      ].join("\n"),
    )
    .action(async (flags: StepsFlags) => {
      const gpu = await openEngine({ ...flags, tuning: false }, new Stopwatch());
      try {
        await compare(gpu, flags);
      } finally {
        gpu.close();
      }
    });
}

function parseLists(text: string): number[][] {
  const lists = text.split(";").map((part) => parseTs(part.trim()));
  if (lists.some((list) => !Array.isArray(list) || list.length === 0))
    throw bad(`--lists ${quote(text)}: must be lists of time steps with semicolons between them, such as "10;0,16"`);
  return lists as number[][];
}

async function compare(gpu: Gpu, flags: StepsFlags): Promise<void> {
  const silent = Boolean(flags.quiet || flags.json);
  const say = (line: string) => void (silent || process.stderr.write(`${line}\n`));
  const extractor = await FeatureExtractor.open(gpu, flags.features ?? bundledFeatures);
  const reference = await openReference(flags.ref ?? bundledReference, extractor.source, say);
  const few = fewSamples(flags.n, extractor.source, `--n ${flags.n}`);
  if (few !== undefined) warn(few);
  const model = await loadNetwork(gpu, flags.net ?? bundledCheckpoint, new Stopwatch(), silent);
  if (model.architecture !== "ncvsd")
    throw bad(`${model.checkpoint.name} is an EDM2 teacher: time steps are for NCVSD networks`);
  if (model.shape.join() !== extractor.input.join())
    throw bad(
      `${model.checkpoint.name} makes images of ${shapeText(model.shape)}, but the feature network ${extractor.source.name} takes ${shapeText(extractor.input)}: name another with --features`,
    );
  const grid = Array.from({ length: Math.ceil(LEVELS / flags.every) }, (_, i) => i * flags.every);
  // Each further step is one of those that the list lacks.
  const searched = Array.from({ length: Math.min(flags.most, grid.length) }, (_, chosen) => grid.length - chosen);
  const total = flags.lists?.length ?? searched.reduce((sum, count) => sum + count, 0);
  const progress = createProgress({ total, silent, label: "comparing", unit: "list" });
  const batch = batchFor(model, flags.batch, flags.n);
  const tried: Tried[] = [];
  const measure = async (ts: readonly number[]) => {
    const found = { ts, fd: await distance(model, extractor, reference, { ...flags, batch }, ts) };
    tried.push(found);
    progress.update(tried.length);
    return found;
  };
  try {
    if (flags.lists) for (const ts of flags.lists) await measure(ts);
    else await search(grid, flags.most, measure);
  } finally {
    progress.stop();
  }
  report(flags, tried);
}

/** Greedy: to the best list so far, each step of the grid that it lacks. */
async function search(
  grid: readonly number[],
  most: number,
  measure: (ts: readonly number[]) => Promise<Tried>,
): Promise<void> {
  let best: readonly number[] = [];
  while (best.length < Math.min(most, grid.length)) {
    let found: Tried | undefined;
    for (const step of grid) {
      if (best.includes(step)) continue;
      const next = await measure([...best, step].sort((a, b) => a - b));
      if (!found || next.fd < found.fd) found = next;
    }
    best = found!.ts;
  }
}

async function distance(
  model: Model,
  extractor: FeatureExtractor,
  { frechet }: OpenedReference,
  { n, seed, batch }: { readonly n: number; readonly seed: number; readonly batch: BatchSize },
  ts: readonly number[],
): Promise<number> {
  const classes = model.config.label_dim;
  const { dim } = extractor.source;
  const rows = new Float32Array(n * dim);
  const all = Array.from({ length: n }, (_, i) => seed + i);
  const featuresOf = async (seeds: readonly number[]) => {
    const labels = classes > 0 ? { labels: seeds.map((s) => s % classes) } : {};
    const { images } = await sampleMultiStep(model, { seeds, ...labels, ts });
    return (await extractor.extract(images.map((v) => fromByte(toByte(v))))).features;
  };
  for (let at = 0; at < n; ) {
    const { some, result: features } = await batch.next(all, at, featuresOf);
    checkFinite(features, dim, (i) => `seed ${seed + at + i} with time steps ${ts.join(",")}`);
    rows.set(features, at * dim);
    at += some.length;
    // Signals are delivered between the batches.
    await new Promise((resolve) => setImmediate(resolve));
  }
  return frechet.distance(statisticsOf(momentsOf(rows, dim)));
}

function report({ json, n }: StepsFlags, tried: readonly Tried[]): void {
  const sorted = [...tried].sort((a, b) => a.fd - b.fd);
  const sizes = [...new Set(tried.map(({ ts }) => ts.length))].sort((a, b) => a - b);
  const best = sizes.map((size) => sorted.find(({ ts }) => ts.length === size)!);
  if (json) {
    process.stdout.write(`${JSON.stringify({ n, best, tried: sorted })}\n`);
    return;
  }
  const rows = sorted.map((one) => [
    one.ts.join(","),
    String(one.ts.length),
    one.fd.toFixed(2),
    best.includes(one) ? "*" : "",
  ]);
  const marked = sorted.flatMap((one, i) => (best.includes(one) ? [i] : []));
  process.stdout.write(`${table(["--ts", "steps", `FD of ${n}`, "best"], rows, { best: marked }).join("\n")}\n`);
}
