import type { Inputs } from "../../../src/gpu/contract.js";
import { logTail, truncatedQuantile } from "../../lib/normal-law.js";

export interface CellLawParams {
  readonly batch: number;
  readonly height: number;
  readonly width: number;
  /** Steps between the lowest and the highest level, 2^bits - 1; 0: blocks of 8 x 8 with a table of steps. */
  readonly levels: number;
}

/** The cell that the measurement `y` of entry i says the value lies in. */
function cell(levels: number, y: number, step: number, first: boolean): [number, number] {
  if (levels === 0) return [-0.5, 0.5].map((half) => (step * (y + half) + (first ? 4 : 0)) / 127.5) as [number, number];
  const j = Math.min(levels, Math.max(0, Math.floor(((y + 1) / 2) * levels + 0.5)));
  const low = j === 0 ? -Infinity : (2 * j - 1) / levels - 1;
  return [low, j === levels ? Infinity : (2 * j + 1) / levels - 1];
}

export function reference(
  { batch, height, width, levels }: CellLawParams,
  { x, measured, z, z2, level, steps }: Inputs,
) {
  const [s, rho] = [level![0]!, level![1]!];
  const d = Math.sqrt(s ** 2 + rho ** 2);
  const y = Float64Array.from({ length: batch * height * width }, (_, i) => {
    const place = (Math.floor(i / width) % 8) * 8 + ((i % width) % 8);
    const [low, high] = cell(levels, measured![i]!, steps?.[place] ?? 0, place === 0);
    const [p, q] = [Math.exp(logTail(-z![i]!)), Math.exp(logTail(z![i]!))];
    const w = truncatedQuantile(x![i]!, d, low, high, p, q);
    return x![i]! + (rho / d) ** 2 * (w - x![i]!) + ((rho * s) / d) * z2![i]!;
  });
  return { y };
}
