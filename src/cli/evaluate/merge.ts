import type { Command } from "commander";
import { bad } from "../../errors.js";
import { combineShards, readFeatures } from "../../evaluate/feature-file.js";
import { featuresName } from "../../runs/feature-log.js";
import { bundledReference } from "../../runs/package.js";
import { writeAtomic } from "../../runs/whole-file.js";
import { openReferences, REF_HELP } from "./options.js";
import { describeResult, makeResult } from "./result.js";
import { statisticsOfRun } from "./run-statistics.js";

interface MergeFlags {
  ref?: string;
  dest?: string;
  out?: string;
  json?: boolean;
}

export function registerEvaluateMerge(evaluate: Command): Command {
  return evaluate
    .command("merge")
    .summary("put the shards of a run together")
    .description(
      "Puts the shards of `evaluate fd`, `calc` or `ref` together: the result is that of one run, however it was cut; bit for bit up to " +
        "512 features, to rounding above. No GPU is needed.",
    )
    .argument("<shards...>", "the .features.safetensors of every shard, in any order")
    .option("--ref <file>", REF_HELP)
    .option("--dest <file>", "write the statistics of all images: .pkl (EDM2's format), .npz or .safetensors")
    .option("--out <file>", "where the result goes (JSON)")
    .option("--force", "replace a file that is there, whoever made it")
    .option("--json", "print one JSON object on stdout")
    .option("--verbose", "stacks of errors")
    .addHelpText("after", "\nExample:\n  ncvsd-gpu evaluate merge fd-*-of-4.features.safetensors --out fd.json")
    .action(async (shards: string[], flags: MergeFlags) => {
      const files = [];
      for (const file of shards) files.push(await readFeatures(/\.json$/i.test(file) ? featuresName(file) : file));
      const { run, rows } = combineShards(files);
      const say = (line: string) => void process.stderr.write(`${line}\n`);
      if (flags.dest !== undefined) writeAtomic(flags.dest, statisticsOfRun(flags.dest, run, rows));
      const bundled = run.networks.every(({ metric }) => metric === undefined) ? bundledReference : undefined;
      const ref = flags.ref ?? (flags.dest === undefined ? bundled : undefined);
      if (ref === undefined) {
        if (flags.dest === undefined) throw bad("name the reference statistics with --ref, or write these with --dest");
        const done = { dest: flags.dest, count: run.n, features: run.networks };
        process.stdout.write(`${flags.json ? JSON.stringify(done) : flags.dest}\n`);
        return;
      }
      const references = await openReferences(ref, run.networks, { say, silent: Boolean(flags.json) });
      const result = makeResult(run, rows, references, { shards: files.length });
      if (flags.out !== undefined) writeAtomic(flags.out, `${JSON.stringify(result, null, 2)}\n`);
      process.stdout.write(`${flags.json ? JSON.stringify(result) : describeResult(result)}\n`);
    });
}
