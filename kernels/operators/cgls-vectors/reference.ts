import type { Inputs } from "../../../src/gpu/contract.js";

export interface CglsVectorsParams {
  readonly images: number;
  /** Values of one image, or of its measurement. */
  readonly elements: number;
  readonly part: "picture" | "measurement" | "direction";
}

export function reference(p: CglsVectorsParams, { a, b, state, level, y: before, y2: before2 }: Inputs) {
  const length = p.images * p.elements;
  const of = (i: number, entry: number) => state![16 * Math.floor(i / p.elements) + entry]!;
  const t = level ? level[0]! / level[1]! : 0;
  const y = Float64Array.from({ length }, (_, i) => {
    if (p.part === "direction") return a![i]! + t * b![i]! + of(i, 2) * before![i]!;
    return before![i]! + (p.part === "picture" ? 1 : -1) * of(i, 1) * a![i]!;
  });
  if (p.part !== "picture") return { y };
  return { y, y2: Float64Array.from({ length }, (_, i) => before2![i]! - t * of(i, 1) * a![i]!) };
}
