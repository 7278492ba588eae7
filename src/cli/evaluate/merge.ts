import type { Command } from "commander";
import { combineShards, readFeatures } from "../../evaluate/feature-file.js";
import { featuresName } from "../../runs/feature-log.js";
import { bundledReference } from "../../runs/package.js";
import { writeAtomic } from "../../runs/whole-file.js";
import { openReference } from "./options.js";
import { describeResult, makeResult } from "./result.js";

interface MergeFlags {
  ref?: string;
  out?: string;
  json?: boolean;
}

export function registerEvaluateMerge(evaluate: Command): Command {
  return evaluate
    .command("merge")
    .summary("put the shards of a run together")
    .description(
      "Puts the shards of `evaluate fd --shard` together: the result is that of one run, bit for bit, however it was cut. " +
        "No GPU is needed.",
    )
    .argument("<shards...>", "the .features.safetensors of every shard, in any order")
    .option("--ref <file>", "reference statistics, .safetensors or .npz (default: those of the bundled data)")
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
      const reference = await openReference(flags.ref ?? bundledReference, run.network, say);
      const result = makeResult(run, rows, reference, { shards: files.length });
      if (flags.out !== undefined) writeAtomic(flags.out, `${JSON.stringify(result, null, 2)}\n`);
      process.stdout.write(`${flags.json ? JSON.stringify(result) : describeResult(result)}\n`);
    });
}
