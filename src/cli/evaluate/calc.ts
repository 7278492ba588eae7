import type { Command } from "commander";
import { bad } from "../../errors.js";
import { bundledReference } from "../../runs/package.js";
import { Stopwatch } from "../../runs/stopwatch.js";
import { writeAtomic } from "../../runs/whole-file.js";
import { openEngine } from "../parts/engine.js";
import { openDetectors } from "./detectors.js";
import { addFilesOptions, FILES_HELP, type FilesFlags, measureFiles } from "./files.js";
import { openReferences, REF_HELP } from "./options.js";
import { describeResult, makeResult, tellShard } from "./result.js";

interface CalcFlags extends FilesFlags {
  images: string;
  ref?: string;
  out?: string;
}

export function registerEvaluateCalc(evaluate: Command): Command {
  const command = evaluate
    .command("calc")
    .summary("FID and FD-DINOv2 of pictures that are there")
    .description(
      "Frechet distances of stored pictures to reference statistics, in the reference's words: FID by --inception, FD-DINOv2 by --dinov2, " +
        "both in one pass.",
    )
    .requiredOption("--images <dir>", FILES_HELP)
    .option("--ref <file>", REF_HELP)
    .option("--out <file>", "where the result goes (JSON); what is known of the pictures goes beside it");
  return addFilesOptions(command)
    .addHelpText(
      "after",
      [
        "",
        "Examples:",
        "  ncvsd-gpu evaluate calc --images out --ref img64.pkl --num 50000 \\",
        "    --inception inception-2015-12-05.pkl --dinov2 dinov2_vitl14_pretrain.pth",
        "  ncvsd-gpu evaluate calc --images out.zip --ref stats.npz \\",
        "    --fid-variant pytorch-fid --inception pt_inception-2015-12-05-6726825d.pth",
      ].join("\n"),
    )
    .action(async (flags: CalcFlags) => {
      const silent = Boolean(flags.quiet || flags.json);
      const say = (line: string) => void (silent || process.stderr.write(`${line}\n`));
      const gpu = await openEngine({ ...flags, tuning: false }, new Stopwatch());
      try {
        const opened = await openDetectors(gpu, flags, { silent, say });
        if (flags.ref === undefined && opened.some(({ source }) => source.metric !== undefined))
          throw bad("name the reference statistics with --ref (docs/metrics.md says where they are published)");
        const sources = opened.map(({ source }) => source);
        const found = await openReferences(flags.ref ?? bundledReference, sources, { ...flags, say, silent });
        const detectors = opened.filter((_, k) => found[k]);
        const where = { out: flags.out, keep: true };
        const { run, rows, steady, shard, images } = await measureFiles(gpu, detectors, flags.images, flags, where);
        if (shard.count > 1) {
          tellShard({ out: flags.out!, all: flags.out!, shard, images, seconds: rows.seconds, flags });
          return;
        }
        const references = found.filter((reference) => reference !== undefined);
        const result = makeResult(run, rows, references, { shards: 1, ...steady });
        if (flags.out !== undefined) writeAtomic(flags.out, `${JSON.stringify(result, null, 2)}\n`);
        process.stdout.write(`${flags.json ? JSON.stringify(result) : describeResult(result)}\n`);
      } finally {
        gpu.close();
      }
    });
}
