import type { Command } from "commander";
import { Stopwatch } from "../../runs/stopwatch.js";
import { writeAtomic } from "../../runs/whole-file.js";
import { openEngine } from "../parts/engine.js";
import { openDetectors } from "./detectors.js";
import { addFilesOptions, FILES_HELP, type FilesFlags, measureFiles } from "./files.js";
import { tellShard } from "./result.js";
import { checkDest, statisticsOfRun } from "./run-statistics.js";

const DEST_HELP = "where the statistics go: .pkl (EDM2's format, all metrics), .npz or .safetensors (one)";

/** The same under two names: the reference's words, and those of `evaluate fd`. */
const NAMES = { ref: "dest", stats: "out" } as const;

interface StatsFlags extends FilesFlags {
  data: string;
  dest?: string;
  out?: string;
}

export function registerEvaluateRef(evaluate: Command): Command {
  return register(evaluate, "ref");
}

export function registerEvaluateStats(evaluate: Command): Command {
  return register(evaluate, "stats");
}

function register(evaluate: Command, name: keyof typeof NAMES): Command {
  const command = evaluate
    .command(name)
    .summary(name === "ref" ? "reference statistics of pictures" : "the same as ref, with --out for --dest")
    .description(
      "Mean and covariance of the features of pictures, as the reference of `evaluate fd` and `evaluate calc`: by Inception " +
        "and DINOv2 (--inception, --dinov2) in one pass, or by a small network.",
    )
    .requiredOption("--data <dir>", FILES_HELP)
    .requiredOption(`--${NAMES[name]} <file>`, DEST_HELP);
  return addFilesOptions(command)
    .addHelpText(
      "after",
      [
        "",
        "Example:",
        `  ncvsd-gpu evaluate ${name} --data images.zip --${NAMES[name]} stats.pkl \\`,
        "    --inception inception-2015-12-05.pkl --dinov2 dinov2_vitl14_pretrain.pth",
      ].join("\n"),
    )
    .action(async (flags: StatsFlags) => {
      const silent = Boolean(flags.quiet || flags.json);
      const say = (line: string) => void (silent || process.stderr.write(`${line}\n`));
      const dest = flags[NAMES[name]]!;
      checkDest(dest, []);
      const gpu = await openEngine({ ...flags, tuning: false }, new Stopwatch());
      try {
        const detectors = await openDetectors(gpu, flags, { silent, say });
        const sources = detectors.map(({ source }) => source);
        checkDest(dest, sources);
        const where = { out: dest, keep: false };
        const { run, rows, shard, images } = await measureFiles(gpu, detectors, flags.data, flags, where);
        if (shard.count > 1) {
          tellShard({ out: dest, all: dest, shard, images, seconds: rows.seconds, flags, merge: `--dest ${dest}` });
          return;
        }
        writeAtomic(dest, statisticsOfRun(dest, run, rows));
        const result = { [NAMES[name]]: dest, count: run.n, features: sources.length > 1 ? sources : sources[0] };
        process.stdout.write(`${flags.json ? JSON.stringify(result) : dest}\n`);
      } finally {
        gpu.close();
      }
    });
}
