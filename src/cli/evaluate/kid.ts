import { type Command, Option } from "commander";
import type { ValueRange } from "../../data/arrays.js";
import { openPictureSet } from "../../data/picture-set.js";
import { bad } from "../../errors.js";
import type { Detector } from "../../evaluate/detector.js";
import { MOST_PAIRED, type PairFigures, pairFigures } from "../../evaluate/pairs.js";
import { percent } from "../../evaluate/result.js";
import { selection } from "../../evaluate/selection.js";
import { checkFinite } from "../../evaluate/statistics.js";
import { MAX_SEED, parseInteger, parseRange, RANGE_HELP } from "../../runs/args.js";
import { tell, withProgress } from "../../runs/progress.js";
import { Stopwatch } from "../../runs/stopwatch.js";
import { ADAPTER_HELP, type EngineOptions, openEngine } from "../parts/engine.js";
import { addDetectorOptions, type DetectorFlags, nameOf, openDetectors } from "./detectors.js";
import { batchReader, FILES_HELP } from "./files.js";
import { addBatchOption } from "./options.js";

interface KidFlags extends EngineOptions, DetectorFlags {
  images: string;
  data: string;
  num: number;
  seed: number;
  batch: number;
  range?: ValueRange;
  json?: boolean;
  quiet?: boolean;
}

export function registerEvaluateKid(evaluate: Command): Command {
  const integer = (name: string, min: number, max: number) => (t: string) => parseInteger(t, name, { min, max });
  const command = evaluate
    .command("kid")
    .summary("KID, precision and recall of pictures against pictures")
    .description(
      `KID, and precision and recall by third neighbours, of pictures against those of the data, in the features of the same networks as \`evaluate calc\`. All pairs are looked at: of each set up to ${MOST_PAIRED} pictures are taken.`,
    )
    .requiredOption("--images <dir>", FILES_HELP)
    .requiredOption("--data <dir>", "pictures of the data, likewise")
    .addOption(
      new Option("--num <n>", "pictures of each set at most, chosen as by `evaluate calc`")
        .argParser(integer("--num", 5, MOST_PAIRED))
        .default(MOST_PAIRED),
    )
    .addOption(new Option("--seed <s>", "seed of the choice").argParser(integer("--seed", 0, MAX_SEED)).default(0))
    .option("--range <black,white>", RANGE_HELP, (t: string) => parseRange(t));
  addDetectorOptions(command);
  return addBatchOption(command, "pictures", 16)
    .option("--adapter <name>", ADAPTER_HELP)
    .option("--json", "print one JSON object on stdout")
    .option("--quiet", "no progress")
    .option("--verbose", "stacks of errors")
    .addHelpText(
      "after",
      "\nExample:\n  ncvsd-gpu evaluate kid --images out --data train.zip \\\n    --inception inception-2015-12-05.pkl",
    )
    .action(async (flags: KidFlags) => {
      const silent = Boolean(flags.quiet || flags.json);
      const say = (line: string) => void (silent || process.stderr.write(`${line}\n`));
      const gpu = await openEngine({ ...flags, tuning: false }, new Stopwatch());
      try {
        const detectors = await openDetectors(gpu, flags, { silent, say });
        const images = await featuresOf(detectors, flags.images, flags, { silent, say });
        const real = await featuresOf(detectors, flags.data, flags, { silent, say });
        const figures = detectors.map(({ source }, k) => ({
          features: source,
          ...pairFigures(images.features[k]!, real.features[k]!, source.dim),
        }));
        const result = { images: taken(flags.images, images), data: taken(flags.data, real), figures };
        process.stdout.write(`${flags.json ? JSON.stringify(result) : figures.flatMap(describe).join("\n")}\n`);
      } finally {
        gpu.close();
      }
    });
}

interface SetFeatures {
  /** Of each network, [count, dim]. */
  readonly features: readonly Float32Array[];
  readonly count: number;
  /** Pictures that there are. */
  readonly of: number;
}

const taken = (file: string, { count, of }: SetFeatures) => ({ file, count, of });

async function featuresOf(
  detectors: readonly Detector[],
  path: string,
  { range, num, seed, batch }: KidFlags,
  { silent, say }: { silent: boolean; say: (line: string) => void },
): Promise<SetFeatures> {
  const set = await openPictureSet(path, { range, say: tell });
  try {
    const count = Math.min(num, set.count);
    if (count < 5) throw bad(`${path} has ${set.count} images: KID, precision and recall need 5 at least`);
    if (count < set.count) say(`${count} of the ${set.count} images of ${path}, chosen by seed ${seed}`);
    const chosen = selection(set.count, count, seed);
    const read = batchReader(set, detectors, say);
    const features = detectors.map(({ source }) => new Float32Array(count * source.dim));
    await withProgress({ total: count, label: "features", silent }, async (progress) => {
      for (let at = 0; at < count; at += batch) {
        const pictures = await read(chosen.subarray(at, at + batch));
        for (const [k, { source, measure }] of detectors.entries()) {
          const found = (await measure(pictures)).features;
          checkFinite(found, source.dim, (i) => `image ${chosen[at + i]} of ${path}`);
          features[k]!.set(found, at * source.dim);
        }
        progress.update(at + pictures.shape[0]);
        // Signals are delivered in between.
        await new Promise((resolve) => setImmediate(resolve));
      }
    });
    return { features, count, of: set.count };
  } finally {
    await set.close();
  }
}

function describe({
  features,
  kid,
  kidDeviation,
  subsets,
  subset,
  precision,
  recall,
}: PairFigures & { features: Detector["source"] }): string[] {
  const spread =
    subsets > 1 ? ` +- ${kidDeviation.toPrecision(2)}, of ${subsets} subsets of ${subset}` : `, of all ${subset}`;
  return [
    `KID ${Number(kid.toPrecision(4))}${spread} (${nameOf(features)})`,
    `precision ${percent(precision)}, recall ${percent(recall)} (third neighbours)`,
  ];
}
