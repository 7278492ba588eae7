import { type Command, Option } from "commander";
import { FrechetReference, fewSamples } from "../../evaluate/frechet.js";
import { type FeatureStatistics, requireSameNetwork } from "../../evaluate/same-features.js";
import { readStatistics } from "../../evaluate/statistics-file.js";
import type { FeatureSource } from "../../networks/features/extractor.js";
import { parseInteger } from "../../runs/args.js";

/** `--batch`, by which no result changes. */
export function addBatchOption(command: Command, what: string, batch: number): Command {
  const parse = (t: string) => parseInteger(t, "--batch", { min: 1, max: 65536 });
  return command.addOption(
    new Option("--batch <n>", `${what} at a time; does not change the result`).argParser(parse).default(batch),
  );
}

export interface OpenedReference {
  readonly file: string;
  readonly statistics: FeatureStatistics;
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
  const statistics = await readStatistics(path);
  const remarks = [requireSameNetwork(path, statistics, source), fewSamples(statistics.count, source.dim, path)];
  for (const remark of remarks) if (remark !== undefined) say(remark);
  return { file: path, statistics, frechet: new FrechetReference(statistics, path) };
}
