import type { Case } from "../../../src/gpu/contract.js";
import type { GemmParams } from "./reference.js";
import { packGemmWeight } from "./weight.js";

export function cases(): Case<GemmParams>[] {
  const none = { kind: "none" } as const;
  const base: GemmParams = { groups: 1, images: 3, rows: 11, depth: 5, columns: 12, type: "act", epilogue: none };
  const list: { name: string; params: GemmParams }[] = [
    { name: "odd everything", params: base },
    { name: "one row, one k, one quad", params: { ...base, images: 1, rows: 1, depth: 1, columns: 4 } },
    { name: "few rows", params: { ...base, rows: 3, depth: 18, columns: 36 } },
    { name: "several tiles of rows and columns", params: { ...base, rows: 70, depth: 33, columns: 84 } },
    { name: "deep, the last columns not full", params: { ...base, rows: 43, depth: 97, columns: 20 } },
    { name: "one quad of many rows", params: { ...base, images: 1, rows: 45, depth: 21, columns: 4 } },
    {
      name: "two quads, sum",
      params: {
        ...base,
        images: 2,
        rows: 9,
        depth: 8,
        columns: 4,
        epilogue: { kind: "sum_clip", residual: 0.7, clip: null },
      },
    },
    {
      name: "three quads of many rows",
      params: { ...base, images: 3, rows: 45, depth: 21, columns: 4 },
    },
    {
      name: "deep, in parts, sum and clip",
      params: {
        ...base,
        rows: 70,
        depth: 75,
        segments: 8,
        epilogue: { kind: "sum_clip", residual: 0.7, clip: 1.5 },
      },
    },
    {
      name: "deep, in parts, two quads of many rows",
      params: { ...base, images: 2, rows: 45, depth: 75, columns: 4, segments: 8 },
    },
    { name: "very deep, in many parts", params: { ...base, rows: 20, depth: 135, segments: 16 } },
    { name: "groups in f32", params: { ...base, groups: 5, images: 1, rows: 40, columns: 44, type: "f32" } },
    { name: "scale and silu", params: { ...base, epilogue: { kind: "scale_silu", offset: 3, stride: 17 } } },
    { name: "sum and clip", params: { ...base, rows: 34, epilogue: { kind: "sum_clip", residual: 0.7, clip: 1.5 } } },
    {
      name: "sum without clip, few rows",
      params: { ...base, rows: 8, epilogue: { kind: "sum_clip", residual: 0.7, clip: null } },
    },
  ];
  return list.map(({ name, params }) => ({
    name,
    params,
    // Random weights, but packed as at load: the padding is zero.
    inputs: (buffer, _length, random) => (buffer === "w" ? weights(params, random) : undefined),
  }));
}

function weights({ groups, rows, depth }: GemmParams, random: () => number): Float32Array {
  return packGemmWeight(Float32Array.from({ length: groups * rows * depth }, random), groups, rows, depth);
}
