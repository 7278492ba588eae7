import type { Command } from "commander";
import type { ValueRange } from "../../data/arrays.js";
import { openPictures } from "../../data/pictures.js";
import { fewSamples } from "../../evaluate/frechet.js";
import { RunningMoments, statisticsOf } from "../../evaluate/statistics.js";
import { statisticsBytes } from "../../evaluate/statistics-file.js";
import { valuesFromImages } from "../../image/pixels.js";
import { FeatureExtractor } from "../../networks/features/extractor.js";
import { parseRange, RANGE_HELP } from "../../runs/args.js";
import { bundledFeatures } from "../../runs/package.js";
import { tell, withProgress } from "../../runs/progress.js";
import { Stopwatch } from "../../runs/stopwatch.js";
import { writeAtomic } from "../../runs/whole-file.js";
import { ADAPTER_HELP, type EngineOptions, openEngine } from "../parts/engine.js";
import { addBatchOption } from "./options.js";

interface StatsFlags extends EngineOptions {
  data: string;
  out: string;
  features?: string;
  batch: number;
  range?: ValueRange;
  json?: boolean;
  quiet?: boolean;
}

export function registerEvaluateStats(evaluate: Command): Command {
  const command = evaluate
    .command("stats")
    .summary("reference statistics of a folder of images")
    .description(
      "Mean and covariance of the features of all images of a folder (PNG, JPEG, .npy; subfolders are looked into), as the reference " +
        "of `evaluate fd`. A safetensors file with a U8 tensor `images` [N, C, H, W] is taken as well, and an .npy or .npz.",
    )
    .requiredOption("--data <dir>", "the images, of the size that the feature network takes")
    .requiredOption("--out <file>", "where the statistics go (safetensors: mean, cov)")
    .option("--force", "replace a file that is there, whoever made it")
    .option("--range <black,white>", RANGE_HELP, (t: string) => parseRange(t))
    .option("--features <file>", "the feature network (default: the bundled fashion32-features)");
  return addBatchOption(command, "images", 64)
    .option("--adapter <name>", ADAPTER_HELP)
    .option("--json", "print one JSON object on stdout")
    .option("--quiet", "no progress")
    .option("--verbose", "stacks of errors")
    .addHelpText("after", "\nExample:\n  ncvsd-gpu evaluate stats --data test-images --out test-stats.safetensors")
    .action(async (flags: StatsFlags) => {
      const gpu = await openEngine(flags, new Stopwatch());
      try {
        const extractor = await FeatureExtractor.open(gpu, flags.features ?? bundledFeatures);
        const { source, input } = extractor;
        const { count, batches } = await openPictures(flags.data, input, `the feature network ${source.name}`, {
          range: flags.range,
          say: tell,
        });
        const few = fewSamples(count, source.dim, flags.data);
        if (few !== undefined) tell(few);
        const running = new RunningMoments(source.dim);
        const silent = Boolean(flags.quiet || flags.json);
        await withProgress({ total: count, label: "features", silent }, async (progress) => {
          for await (const batch of batches(flags.batch)) {
            const { values } = valuesFromImages(batch.map(({ image }) => image));
            const { features } = await extractor.extract(values);
            running.push(features, (i) => batch[i]!.name);
            progress.update(running.count);
          }
        });
        writeAtomic(
          flags.out,
          statisticsBytes(flags.out, {
            ...statisticsOf(running.moments()),
            network: source.name,
            sha256: source.sha256,
          }),
        );
        const result = { out: flags.out, count, features: source };
        process.stdout.write(`${flags.json ? JSON.stringify(result) : flags.out}\n`);
      } finally {
        gpu.close();
      }
    });
}
