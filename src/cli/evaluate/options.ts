import { type Command, Option } from "commander";
import { readInput } from "../../data/arrays.js";
import { FrechetReference } from "../../evaluate/frechet.js";
import { readStatistics, requireSameNetwork, type StatisticsFile } from "../../evaluate/statistics-file.js";
import type { FeatureSource } from "../../networks/features/extractor.js";
import { parseInteger } from "../../runs/args.js";

/** `--batch`, by which no result changes. */
export function addBatchOption(command: Command, what: string, batch: number): Command {
  const parse = (t: string) => parseInteger(t, "--batch", { min: 1, max: 65536 });
  return command.addOption(
    new Option("--batch <n>", `${what} at a time; does not change the result`).argParser(parse).default(batch),
  );
}

export interface OpenedReference extends StatisticsFile {
  readonly frechet: FrechetReference;
}

/**
 * Reference statistics, ready to compare with.
 * @param say takes a remark
 * @throws BAD_ARGUMENT when they are not of this feature network, or no statistics
 */
export async function openReference(
  path: string,
  source: FeatureSource,
  say: (line: string) => void,
): Promise<OpenedReference> {
  const file = await readStatistics(path, readInput, source.dim);
  const remark = requireSameNetwork(file, source);
  if (remark !== undefined) say(remark);
  return { ...file, frechet: new FrechetReference(file.statistics, path) };
}
