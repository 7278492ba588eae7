import type { Inputs } from "../../../src/gpu/contract.js";
import { logMass, logTail, truncatedQuantile } from "../../lib/normal-law.js";

export interface HdrLawParams {
  readonly batch: number;
  /** Values of one image. */
  readonly elements: number;
  /** The measurement is clip(scale v, -1, 1). */
  readonly scale: number;
}

export function reference({ batch, elements, scale }: HdrLawParams, { x, measured, z, level }: Inputs) {
  const [s, rho] = [level![0]!, level![1]!];
  const edge = 1 / scale;
  const v = 1 / (scale ** 2 / s ** 2 + 1 / rho ** 2);
  const y = Float64Array.from({ length: batch * elements }, (_, i) => {
    const [centre, m] = [x![i]!, measured![i]!];
    const mu = v * ((scale * m) / s ** 2 + centre / rho ** 2);
    const pieces = [
      { from: -Infinity, to: -edge, mean: centre, deviation: rho, log: -((m + 1) ** 2) / (2 * s ** 2) },
      {
        from: -edge,
        to: edge,
        mean: mu,
        deviation: Math.sqrt(v),
        log: -((m - scale * centre) ** 2) / (2 * (s ** 2 + scale ** 2 * rho ** 2)) + Math.log(Math.sqrt(v) / rho),
      },
      { from: edge, to: Infinity, mean: centre, deviation: rho, log: -((m - 1) ** 2) / (2 * s ** 2) },
    ].map((piece) => {
      const { from, to, mean, deviation } = piece;
      return { ...piece, log: piece.log + logMass((from - mean) / deviation, (to - mean) / deviation) };
    });
    const largest = Math.max(...pieces.map(({ log }) => log));
    const weights = pieces.map(({ log }) => Math.exp(log - largest));
    const total = weights[0]! + weights[1]! + weights[2]!;
    let [below, above] = [Math.exp(logTail(-z![i]!)), Math.exp(logTail(z![i]!))];
    let at = 0;
    while (at < 2 && below > weights[at]! / total) below -= weights[at++]! / total;
    const share = weights[at]! / total;
    for (let after = at + 1; after < 3; after++) above -= weights[after]! / total;
    const { mean, deviation, from, to } = pieces[at]!;
    const part = Math.min(below, above) / share;
    const [p, q] = below < above ? [part, 1 - part] : [1 - part, part];
    return truncatedQuantile(mean, deviation, from, to, Math.max(p, 0), Math.max(q, 0));
  });
  return { y };
}
