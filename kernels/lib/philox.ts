/**
 * Philox 4x32-10 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3") and the normal values that
 * kernels/lib/philox.wgsl makes of it, in float64.
 */
import type { SourcePart } from "../../src/gpu/contract.js";
import math from "./math.wgsl.js";
import philox from "./philox.wgsl.js";

/** What a kernel that draws noise has in front of its own text. */
export const noiseParts: readonly SourcePart[] = [
  { file: "kernels/lib/math.wgsl", text: math },
  { file: "kernels/lib/philox.wgsl", text: philox },
];

export type Words2 = readonly [number, number];
export type Words4 = readonly [number, number, number, number];

/** High word of the 64-bit product of two u32. */
function mulHigh(a: number, b: number): number {
  const [al, ah, bl, bh] = [a & 0xffff, a >>> 16, b & 0xffff, b >>> 16];
  // Sums of two products of halves stay below 2^53.
  const middle = al * bh + ah * bl + Math.floor((al * bl) / 65536);
  return (ah * bh + Math.floor(middle / 65536)) >>> 0;
}

/** Ten rounds on a counter of four u32 with a key of two u32. */
export function philox4x32(counter: Words4, key: Words2): Words4 {
  let [a, b, c, d] = counter;
  let [k0, k1] = key;
  for (let round = 0; round < 10; round++) {
    const [low0, high0] = [Math.imul(0xd2511f53, a) >>> 0, mulHigh(0xd2511f53, a)];
    const [low1, high1] = [Math.imul(0xcd9e8d57, c) >>> 0, mulHigh(0xcd9e8d57, c)];
    [a, b, c, d] = [(high1 ^ b ^ k0) >>> 0, low1, (high0 ^ d ^ k1) >>> 0, low0];
    k0 = (k0 + 0x9e3779b9) >>> 0;
    k1 = (k1 + 0xbb67ae85) >>> 0;
  }
  return [a, b, c, d];
}

/** The 24 leading bits of a word, the last bit set first: a float holds the result exactly. */
function leadingBits(word: number): number {
  const v = (word | 1) >>> 0;
  const excess = Math.max(8, Math.clz32(v)) - Math.clz32(v);
  return ((v >>> excess) << excess) >>> 0;
}

function boxMuller(radiusBits: number, angle: number): [number, number] {
  const radius = Math.sqrt(-2 * Math.log(leadingBits(radiusBits) / 2 ** 32));
  const phi = (2 * Math.PI * angle) / 2 ** 32;
  return [radius * Math.cos(phi), radius * Math.sin(phi)];
}

/** Four standard normal values from four words. */
export function gaussians([a, b, c, d]: Words4): Words4 {
  return [...boxMuller(a, b), ...boxMuller(c, d)];
}

/**
 * Standard normal values of elements `4 * block .. 4 * block + 3`: counter (block, draw, 0, 0), key (seed, 0); words 0
 * and 1 give radius and angle of the first two, words 2 and 3 those of the last two. All arguments are u32.
 */
function normal4(seed: number, draw: number, block: number): Words4 {
  return gaussians(philox4x32([block, draw, 0, 0], [seed, 0]));
}

/** The first `length` standard normal values of draw number `draw` of the stream `seed`. */
export function normals(seed: number, draw: number, length: number): Float64Array {
  const z = new Float64Array(length);
  for (let i = 0; i < length; i += 4) {
    normal4(seed, draw, i / 4).forEach((v, j) => {
      if (i + j < length) z[i + j] = v;
    });
  }
  return z;
}
