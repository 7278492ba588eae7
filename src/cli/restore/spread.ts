import { join } from "node:path";
import { openCheckpoint } from "../../checkpoint/index.js";
import { calibrationFactor, coverage, rankHistogram, ranks } from "../../evaluate/calibration.js";
import { VALUES } from "./files.js";
import type { Spread } from "./report.js";

/** Values of samples that are held at a time; of more images the first ones are taken. */
const MOST = 2 ** 25;

const LEVELS = [50, 90];

/**
 * Whether the samples spread as the errors do, of images whose truth is known: ranks of every pixel of the truth among its samples.
 * @param names of images with finished folders; undefined without any, and for a single sample
 */
export async function spreadOf(outdir: string, names: readonly string[], runs: number): Promise<Spread | undefined> {
  if (runs < 2 || names.length === 0) return undefined;
  const read: { truth: Float32Array; samples: Float32Array }[] = [];
  for (const name of names) {
    const file = await openCheckpoint(join(outdir, name, VALUES));
    try {
      read.push({ truth: await file.readF32("truth"), samples: await file.readF32("samples") });
    } finally {
      await file.close();
    }
    if (read.length * read[0]!.samples.length >= MOST) break;
  }
  const coordinates = read[0]!.truth.length;
  const truths = new Float32Array(read.length * coordinates);
  const samples = new Float32Array(read.length * coordinates * runs);
  for (const [i, one] of read.entries()) {
    truths.set(one.truth, i * coordinates);
    samples.set(one.samples, i * coordinates * runs);
  }
  const set = { samples, truths, count: runs, coordinates };
  const found = ranks(set);
  const central = (level: number) => coverage({ ranks: found, count: runs, level, kind: "central", coordinates });
  const { counts, bins, chi2 } = rankHistogram({ ranks: found, count: runs });
  return {
    images: read.length,
    coverage: Object.fromEntries(LEVELS.map((level) => [level, central(level / 100)])),
    knownLevels: knownLevels(runs),
    rankHistogram: { counts: [...counts], bins, chi2 },
    calibrationFactor: calibrationFactor(set),
  };
}

/** Shares of truths that central intervals of N samples can be made to hold: (N - 2 lo + 1) / (N + 1). */
function knownLevels(runs: number): string[] {
  const shares = Array.from({ length: Math.ceil(runs / 2) }, (_, i) => runs - 2 * (i + 1) + 1);
  return shares
    .filter((share) => share > 0)
    .reverse()
    .map((share) => `${share}/${runs + 1}`);
}
