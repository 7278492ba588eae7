import type { Case } from "../../../src/gpu/contract.js";
import type { ImplicitGemmParams } from "./reference.js";

export function cases(): Case<ImplicitGemmParams>[] {
  const none = { kind: "none" } as const;
  const base = { batch: 2, inChannels: 5, outChannels: 11, height: 7, width: 9, epilogue: none };
  return [
    {
      name: "odd everything, some channels, sum and clip",
      params: { ...base, into: { first: 3, of: 17 }, epilogue: { kind: "sum_clip", residual: 0.7, clip: 1.5 } },
    },
    { name: "one pixel", params: { ...base, batch: 3, inChannels: 1, height: 1, width: 1 } },
    {
      name: "images of 4x4, in parts, scale and silu",
      params: {
        ...base,
        batch: 5,
        inChannels: 34,
        outChannels: 40,
        height: 4,
        width: 4,
        segments: 8,
        epilogue: { kind: "scale_silu", offset: 3, stride: 47 },
      },
    },
    { name: "in many parts", params: { ...base, inChannels: 70, outChannels: 13, height: 4, width: 6, segments: 16 } },
    {
      name: "several tiles, odd height, sum without clip",
      params: {
        ...base,
        inChannels: 34,
        outChannels: 70,
        height: 5,
        width: 12,
        epilogue: { kind: "sum_clip", residual: 0.7, clip: null },
      },
    },
  ];
}
