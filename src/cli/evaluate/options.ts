import { type Command, Option } from "commander";
import { bad } from "../../errors.js";
import type { MeasuredBy } from "../../evaluate/feature-run.js";
import { FrechetReference, fewSamples } from "../../evaluate/frechet.js";
import { type FeatureStatistics, requireSameNetwork } from "../../evaluate/same-features.js";
import { readStatistics } from "../../evaluate/statistics-file.js";
import { parseInteger } from "../../runs/args.js";
import { fetching } from "../parts/engine.js";

/** `--batch`, by which no result changes. */
export function addBatchOption(command: Command, what: string, batch: number): Command {
  const parse = (t: string) => parseInteger(t, "--batch", { min: 1, max: 65536 });
  return command.addOption(
    new Option("--batch <n>", `${what} at a time; does not change the result`).argParser(parse).default(batch),
  );
}

export const REF_HELP =
  "reference statistics: a .pkl as EDM2 has them, .npz or .safetensors, or their URL (default: those of the bundled data)";

export interface OpenedReference {
  readonly file: string;
  readonly statistics: FeatureStatistics;
  readonly frechet: FrechetReference;
}

function opened(file: string, statistics: FeatureStatistics, source: MeasuredBy, say: (line: string) => void) {
  const remarks = [requireSameNetwork(file, statistics, source), fewSamples(statistics.count, source, file)];
  for (const remark of remarks) if (remark !== undefined) say(remark);
  return { file, statistics, frechet: new FrechetReference(statistics, file) };
}

/**
 * Reference statistics, ready to compare with.
 * @param say takes a remark
 * @throws BAD_ARGUMENT when they are not of this feature network, or no statistics
 */
export async function openReference(
  path: string,
  source: MeasuredBy,
  say: (line: string) => void,
): Promise<OpenedReference> {
  return opened(path, await readStatistics(path), source, say);
}

/**
 * The reference statistics of each of these networks; undefined for a metric that the file lacks, of which a line is said.
 * @throws BAD_ARGUMENT when the file has none of them, or those of another network
 */
export async function openReferences(
  path: string,
  sources: readonly MeasuredBy[],
  { say, silent, offline }: { say: (line: string) => void; silent: boolean; offline?: boolean | undefined },
): Promise<readonly (OpenedReference | undefined)[]> {
  const file = await fetching(offline ? { offline } : {}, silent, (options) => readStatistics(path, options));
  const found = sources.map(({ metric }) => {
    if (metric === undefined) return file;
    if (file.metrics) return file.metrics[metric];
    return file.metric === undefined || file.metric === metric ? file : undefined;
  });
  if (found.every((statistics) => statistics === undefined)) {
    const has = file.metrics ? Object.keys(file.metrics) : [file.metric];
    throw bad(
      `${path} has statistics of ${has.join(", ")}, but ${sources.map(({ metric }) => metric).join(", ")} is measured: name others`,
    );
  }
  return found.map((statistics, k) => {
    if (statistics) return opened(path, statistics, sources[k]!, say);
    say(`${path} has no statistics of ${sources[k]!.metric}: it is left out`);
    return undefined;
  });
}
