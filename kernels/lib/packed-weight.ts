import type { Caps } from "../../src/gpu/contract.js";

/**
 * Weights of the matrix kernels: groups of eight rows, all of a group's values for one k beside each other, so that two
 * vec4 loads give one k of eight rows: [ceil(rows / 8)][depth][8], zero padded.
 */
export function packedLength(rows: number, depth: number): number {
  return Math.ceil(rows / 8) * depth * 8;
}

/** Packs row-major [rows, depth] values; the packed depth may be larger (zeros) and the target a part of a larger array. */
export function packRows(
  w: ArrayLike<number>,
  rows: number,
  depth: number,
  packedDepth = depth,
  out = new Float32Array(packedLength(rows, packedDepth)),
  at = 0,
): Float32Array<ArrayBuffer> {
  for (let row = 0; row < rows; row++) {
    const base = at + (row >> 3) * packedDepth * 8 + (row & 7);
    for (let k = 0; k < depth; k++) out[base + k * 8] = w[row * depth + k]!;
  }
  return out;
}

/** Index of (row, k) in the packed array. */
export function packedIndex(row: number, k: number, packedDepth: number): number {
  return ((row >> 3) * packedDepth + k) * 8 + (row & 7);
}

/** `fn pack4(v: vec4f) -> W4`, for kernels that write packed weights: the opposite of `weight4`. */
export function pack4({ precision }: Pick<Caps, "precision">): string {
  const packed = precision === "f32" ? "v" : "vec2u(pack2x16float(v.xy), pack2x16float(v.zw))";
  return `fn pack4(v: vec4f) -> W4 {\n  return ${packed};\n}\n`;
}
