import { existsSync } from "node:fs";
import { type Command, Option } from "commander";
import type { ValueRange } from "../../data/arrays.js";
import { readInput } from "../../data/arrays.js";
import { openPictures } from "../../data/picture-set.js";
import { bad, NcvsdError } from "../../errors.js";
import { RANDOM_CLASSES } from "../../evaluate/evaluation.js";
import { PICTURES } from "../../evaluate/feature-rows.js";
import { type RunPictures, reportHtml, runNames } from "../../evaluate/report.js";
import type { FdResult } from "../../evaluate/result.js";
import { checkResult } from "../../evaluate/result.js";
import type { Gpu } from "../../gpu/device.js";
import { imagesFromValues, type RawImage, valuesFromImages } from "../../image/pixels.js";
import { encodePng } from "../../image/png.js";
import { loadModel, type Model } from "../../networks/edm2/model.js";
import { FeatureExtractor } from "../../networks/features/extractor.js";
import { parseNumber, parseRange, RANGE_HELP } from "../../runs/args.js";
import { type ChosenSampler, sampleBatch } from "../../runs/generate.js";
import { className, labelsForSeeds } from "../../runs/labels.js";
import { bundledFeatures, version } from "../../runs/package.js";
import { createProgress, tell } from "../../runs/progress.js";
import { Stopwatch } from "../../runs/stopwatch.js";
import { writeAtomic } from "../../runs/whole-file.js";
import { isSampler, samplers } from "../../sample/samplers.js";
import { ADAPTER_HELP, type EngineOptions, openEngine, PRECISION_HELP } from "../parts/engine.js";
import { addBatchOption } from "./options.js";

interface ReportFlags extends EngineOptions {
  range?: ValueRange;
  out: string;
  data?: string;
  features?: string;
  title: string;
  stated?: number[][];
  images: boolean;
  batch: number;
  quiet?: boolean;
}

const PER_CLASS = 8;
/** More classes than this are shown as one grid of as many images as ten classes have. */
const MAX_ROWS = 20;
const WITHOUT_CLASSES = 80;
const NEIGHBOURS_OF = 32;
const NEAREST = 3;

export function registerEvaluateReport(evaluate: Command): Command {
  const command = evaluate
    .command("report")
    .summary("one HTML page of several results")
    .description(
      "One self-contained HTML page of the results of `evaluate fd` and `evaluate merge`: table, FD against steps and against the number " +
        "of images, a grid of images by class (made again from their seeds), and with --data the nearest neighbours of 32 of them.",
    )
    .argument("<results...>", "JSON files of `evaluate fd --out`")
    .option("--out <file>", "the page", "report.html")
    .option("--force", "replace a file that is there, whoever made it")
    .option(
      "--data <dir>",
      "training images (a folder, or a safetensors file with a U8 tensor `images`) to look for copies in",
    )
    .option("--range <black,white>", RANGE_HELP, (t: string) => parseRange(t))
    .option("--features <file>", "the feature network for --data (default: the bundled fashion32-features)")
    .option("--title <text>", "heading of the page", "Evaluation")
    .addOption(
      new Option(
        "--stated <list>",
        "distances that papers or model cards state, one for each result, for a column beside ours: 33.8,33.6; of several metrics 2.1/45,1.9/40",
      ).argParser((text) =>
        text.split(",").map((of) => of.split("/").map((t) => parseNumber(t.trim(), "--stated", { min: 0 }))),
      ),
    )
    .option("--no-images", "no pictures: needs neither GPU nor checkpoints");
  return addBatchOption(command, "images", 16)
    .addOption(new Option("--precision <type>", PRECISION_HELP).default("f32"))
    .option("--adapter <name>", ADAPTER_HELP)
    .option("--quiet", "no progress")
    .option("--verbose", "stacks of errors")
    .addHelpText("after", "\nExample:\n  ncvsd-gpu evaluate report fd-1.json fd-2.json --data train --out report.html")
    .action(async (files: string[], flags: ReportFlags) => {
      const results = files.map(readResult);
      const { stated } = flags;
      if (stated !== undefined && stated.length !== results.length)
        throw new NcvsdError(
          "BAD_ARGUMENT",
          `--stated has ${stated.length} distances, but there are ${results.length} results: name one for each, in their order.`,
        );
      for (const [i, { others = [] }] of results.entries()) {
        if (stated && stated[i]!.length > 1 + others.length)
          throw bad(`--stated has ${stated[i]!.length} distances for ${files[i]}, which has ${1 + others.length}`);
      }
      if (!flags.images && flags.data !== undefined)
        throw new NcvsdError("BAD_ARGUMENT", "--data compares pictures: leave out --no-images.");
      const gpu = flags.images ? await openEngine({ ...flags, tuning: false }, new Stopwatch()) : undefined;
      try {
        const made = gpu ? await picturesOf(gpu, results, flags) : undefined;
        const names = runNames(results);
        const runs = results.map((result, i) => ({
          name: names[i]!,
          result,
          pictures: made?.pictures[i] ?? "No pictures were asked for.",
          ...(stated ? { stated: stated[i]! } : {}),
        }));
        const data = flags.data === undefined || !made ? {} : { data: { name: flags.data, count: made.dataCount } };
        const html = reportHtml({ title: flags.title, runs, version, date: new Date().toISOString(), ...data });
        writeAtomic(flags.out, html);
        process.stdout.write(`${flags.out}\n`);
      } finally {
        gpu?.close();
      }
    });
}

function readResult(file: string): FdResult {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder().decode(readInput(file)));
  } catch (cause) {
    throw cause instanceof SyntaxError
      ? bad(`${file} is no JSON: name the files that \`evaluate fd --out\` wrote`, cause)
      : cause;
  }
  const { tool, format } = (value ?? {}) as Partial<FdResult>;
  if (tool === "ncvsd-gpu" && typeof format === "number" && format > 1)
    throw bad(`${file} was written by a newer ncvsd-gpu`);
  return checkResult(value, file);
}

interface Made {
  readonly grid: RunPictures["grid"];
  readonly images: readonly RawImage[];
  readonly labels: readonly string[];
}

async function picturesOf(gpu: Gpu, results: readonly FdResult[], flags: ReportFlags) {
  const made: (Made | string)[] = [];
  const models = new Map<string, Model>();
  const progress = createProgress({
    total: results.length,
    label: "pictures",
    unit: "run",
    silent: Boolean(flags.quiet),
  });
  try {
    for (const [i, result] of results.entries()) {
      made.push(await makeAgain(gpu, models, result, flags.batch));
      progress.update(i + 1);
    }
  } finally {
    progress.stop();
  }
  if (flags.data === undefined)
    return { dataCount: 0, pictures: made.map((m) => (typeof m === "string" ? m : { grid: m.grid })) };
  const found = await nearestNeighbours(gpu, made, flags);
  const pictures = made.map((m, i): RunPictures | string =>
    typeof m === "string" ? m : { grid: m.grid, neighbours: found.neighbours[i]! },
  );
  return { dataCount: found.count, pictures };
}

/** The run's first images, from their seeds; or why that cannot be done. */
async function makeAgain(
  gpu: Gpu,
  models: Map<string, Model>,
  result: FdResult,
  batch: number,
): Promise<Made | string> {
  const { checkpoint, classes, options } = result;
  if (checkpoint.architecture === PICTURES) return `They are those of ${checkpoint.name}.`;
  if (options.vae !== undefined) return "The network makes latents: no pictures were made again.";
  if (!existsSync(checkpoint.name))
    return `The checkpoint ${checkpoint.name} is not there: no pictures could be made again.`;
  if (options.precision !== undefined && options.precision !== gpu.precision)
    return `The run was made in ${String(options.precision)}, not ${gpu.precision}: no pictures were made again; --precision ${String(options.precision)} makes them.`;
  const sampler = samplerOf(options);
  if (!sampler) return "The run was guided by a second network: no pictures were made again.";
  const model = models.get(checkpoint.name) ?? (await loadModel(gpu, checkpoint.name));
  models.set(checkpoint.name, model);
  if ((await model.checkpoint.sha256()) !== checkpoint.sha256)
    return `The checkpoint ${checkpoint.name} has changed since: no pictures could be made again.`;
  const byClass = classes > 0 && classes <= MAX_ROWS;
  const count = Math.min(result.n, byClass ? PER_CLASS * classes : WITHOUT_CLASSES);
  const seeds = Array.from({ length: count }, (_, i) => result.firstSeed + i);
  const every = options.class === RANDOM_CLASSES ? undefined : Array.from({ length: classes }, (_, c) => c);
  const classOf = labelsForSeeds(seeds, classes, every);
  const images: RawImage[] = [];
  for (let at = 0; at < count; at += batch) {
    const part = seeds.slice(at, at + batch);
    const labels = classOf?.slice(at, at + batch);
    const { images: values, shape } = await sampleBatch({ model, sampler }, part, labels, () => {});
    images.push(...imagesFromValues(values, shape));
  }
  const nameOf = (i: number) => (classOf ? className(classOf[i]!, { labelDim: classes, labels: model.labels }) : "");
  const labels = seeds.map((seed, i) => `seed ${seed}${classOf ? `, ${nameOf(i)}` : ""}`);
  const cell = (i: number) => ({ png: encodePng(images[i]!), label: labels[i]! });
  const all = seeds.map((_, i) => i);
  const rows = byClass
    ? Array.from({ length: classes }, (_, c) => all.filter((i) => classOf![i] === c))
    : Array.from({ length: Math.ceil(count / 10) }, (_, r) => all.slice(10 * r, 10 * r + 10));
  const grid = rows
    .filter((row) => row.length > 0)
    .map((row) => ({ label: byClass ? nameOf(row[0]!) : "", images: row.map(cell) }));
  return { grid, images, labels };
}

/** The sampler from its record; undefined with a second network, of which a record has the hash alone. */
function samplerOf({ sampler, ...options }: FdResult["options"]): ChosenSampler | undefined {
  if (!isSampler(sampler) || (options.gnet !== null && options.gnet !== undefined)) return undefined;
  const settings = Object.entries(samplers[sampler].settings).map(([key, value]) => {
    // Records have infinities as text.
    const recorded = typeof value === "number" ? Number(options[key] ?? value) : (options[key] ?? value);
    return [key, recorded] as const;
  });
  return { name: sampler, settings: Object.fromEntries(settings) };
}

interface Neighbour {
  readonly distance: number;
  readonly image: RawImage;
  readonly name: string;
}

/** One pass over the data: for each of the first 32 images of every run the nearest three in feature space. */
async function nearestNeighbours(gpu: Gpu, made: readonly (Made | string)[], flags: ReportFlags) {
  const extractor = await FeatureExtractor.open(gpu, flags.features ?? bundledFeatures);
  const { dim } = extractor.source;
  const { count, batches } = await openPictures(
    flags.data!,
    extractor.input,
    `the feature network ${extractor.source.name}`,
    { range: flags.range, say: tell },
  );
  const wanted = made.map((m) => (typeof m === "string" ? [] : m.images.slice(0, NEIGHBOURS_OF)));
  const queries: Float32Array[] = [];
  for (const images of wanted)
    queries.push(
      images.length === 0 ? new Float32Array() : (await extractor.extract(valuesFromImages(images).values)).features,
    );
  const found = wanted.map((images) => images.map((): Neighbour[] => []));
  for await (const batch of batches(flags.batch)) {
    const { features } = await extractor.extract(valuesFromImages(batch.map(({ image }) => image)).values);
    for (const [b, { image, name }] of batch.entries()) {
      for (const [r, query] of queries.entries()) {
        for (const [q, list] of found[r]!.entries()) {
          let sum = 0;
          for (let i = 0; i < dim; i++) sum += (query[q * dim + i]! - features[b * dim + i]!) ** 2;
          insert(list, { distance: Math.sqrt(sum), image, name });
        }
      }
    }
  }
  const neighbours = found.map((lists, r) =>
    lists.map((list, q) => ({
      image: { png: encodePng(wanted[r]![q]!), label: (made[r] as Made).labels[q]! },
      nearest: list.map(({ distance, image, name }) => ({ distance, png: encodePng(image), label: name })),
    })),
  );
  return { count, neighbours };
}

function insert(list: Neighbour[], candidate: Neighbour): void {
  const at = list.findIndex((other) => candidate.distance < other.distance);
  if (at < 0) list.push(candidate);
  else list.splice(at, 0, candidate);
  if (list.length > NEAREST) list.pop();
}
