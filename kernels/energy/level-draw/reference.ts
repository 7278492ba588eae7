import type { Inputs } from "../../../src/gpu/contract.js";
import { philox4x32 } from "../../lib/philox.js";

export interface LevelDrawParams {
  readonly rows: number;
  /** Noise levels. */
  readonly levels: number;
  readonly seed: number;
}

export function reference({ rows, levels, seed }: LevelDrawParams, { step }: Inputs) {
  const [labels, u] = [new Float64Array(rows), new Float64Array(rows)];
  const start = philox4x32([0, step![0]!, 0, 6], [seed, 0])[0];
  for (let row = 0; row < rows; row++) {
    const place = (start + Math.imul(row, 2654435769)) >>> 0;
    labels[row] = Math.floor((place * levels) / 2 ** 32);
    u[row] = (philox4x32([row, step![0]!, 0, 2], [seed, 0])[0] >>> 8) / 2 ** 24;
  }
  return { labels, u };
}
