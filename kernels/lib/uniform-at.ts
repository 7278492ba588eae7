import type { SourcePart } from "../../src/gpu/contract.js";
import { noiseParts, philox4x32 } from "./philox.js";
import text from "./uniform-at.wgsl.js";

/** What the draws of a particle sampler are for: the third word of the generator's counter. */
export const PURPOSE = { accept: 1, resample: 2, start: 3 } as const;

/** Normal and uniform values. */
export const uniformParts: readonly SourcePart[] = [...noiseParts, { file: "kernels/lib/uniform-at.wgsl", text }];

/** kernels/lib/uniform-at.wgsl. */
export function uniformAt(seed: number, draw: number, purpose: number, i: number): number {
  return (philox4x32([i >>> 2, draw, purpose, 0], [seed, 0])[i & 3]! >>> 8) / 2 ** 24;
}
