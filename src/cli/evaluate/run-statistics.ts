import { bad } from "../../errors.js";
import { statisticsOfKept } from "../../evaluate/evaluation.js";
import type { FeatureRows } from "../../evaluate/feature-rows.js";
import type { FeatureRun, MeasuredBy } from "../../evaluate/feature-run.js";
import type { FeatureStatistics } from "../../evaluate/same-features.js";
import { statisticsBytes, statisticsFormat } from "../../evaluate/statistics-file.js";

/**
 * The bytes of the statistics file of a run's images, in the format of its ending.
 * @throws BAD_ARGUMENT for another ending
 */
export function statisticsOfRun(dest: string, run: FeatureRun, rows: FeatureRows): Uint8Array {
  checkDest(dest, run.networks);
  const all = run.networks.map((source, k): FeatureStatistics => {
    const { name: network, variant, sha256, metric } = source;
    return { ...statisticsOfKept(rows, run, k), network, variant, sha256, metric };
  });
  const metrics = Object.fromEntries(all.flatMap((one) => (one.metric === undefined ? [] : [[one.metric, one]])));
  return statisticsBytes(dest, { ...all[0]!, metrics });
}

/** @throws BAD_ARGUMENT when the file's format has no place for what these networks measure */
export function checkDest(dest: string, networks: readonly MeasuredBy[]): void {
  const format = statisticsFormat(dest);
  if (networks.length > 1 && format !== "pkl")
    throw bad(
      `--dest ${dest}: a .${format} has the statistics of one metric: write a .pkl, or name one with --metrics`,
    );
  const other = networks.find(({ metric }) => metric !== undefined && metric !== "fid");
  if (other && format === "npz")
    throw bad(
      `--dest ${dest}: an .npz is read as statistics of fid, and these are of ${other.metric}: write a .pkl or .safetensors`,
    );
}
