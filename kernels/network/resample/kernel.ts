import { grid1d, type Kernel } from "../../../src/gpu/contract.js";
import { read, write } from "../../lib/buffers.js";
import { addressable, fail, finiteNumber, inRange, oneOf, positiveInteger } from "../../lib/check.js";
import { turns } from "../../lib/chunk.js";
import { storedLanes } from "../../lib/lanes.js";
import mpSilu from "../../lib/mp-silu-loaded.wgsl.js";
import elements from "./elements.wgsl.js";
import source from "./kernel.wgsl.js";
import quads from "./quads.wgsl.js";
import { type ResampleParams, reference } from "./reference.js";

const WORKGROUP = 64;
/** Size of the filter array in the uniform. */
const MAX_TAPS = 64;
const MAX_SIDE = 65536;

/** x [N, C, H, W] (act) to y, and s if asked for, [N, C, 2H, 2W] or [N, C, floor(H/2), floor(W/2)] (act). */
export const resample: Kernel<ResampleParams> = {
  name: "resample",
  source: [
    { file: "kernels/lib/mp-silu-loaded.wgsl", text: mpSilu },
    { file: "kernels/network/resample/kernel.wgsl", text: source },
  ],
  check(params) {
    const { batch, channels, height, width, filter, mode } = params;
    for (const name of ["batch", "channels", "height", "width"] as const) {
      positiveInteger("resample", name, params[name]);
    }
    oneOf("resample", "mode", mode, ["up", "down"]);
    if (mode === "down") {
      inRange("resample", 'height with mode "down"', height, 2, MAX_SIDE);
      inRange("resample", 'width with mode "down"', width, 2, MAX_SIDE);
      addressable("resample", "x", batch, channels, height, width);
    } else {
      addressable("resample", "y", batch, channels, height * 2, width * 2);
    }
    checkFilter(filter);
  },
  buffers(params) {
    const { batch, channels, height, width } = params;
    const out = outputSize(params);
    const length = batch * channels * out.height * out.width;
    return [
      read("x", batch * channels * height * width, "act"),
      write("y", length, "act"),
      write("s", params.silu ? length : 0, "act"),
    ];
  },
  variant(params, caps) {
    const { filter, mode, silu = false } = params;
    const box = isBox(filter);
    const whole = inQuads(params);
    const lanes = storedLanes(whole ? 4 : 1, "S", caps);
    const prelude = `${lanes.prelude}const UP: bool = ${mode === "up"};\nconst BOX: bool = ${box};\nconst SILU: bool = ${silu};\n`;
    return {
      key: `${mode}${box ? "-box" : ""}${silu ? "-silu" : ""}-${lanes.key}`,
      prelude: prelude + (whole ? quads : elements),
    };
  },
  uniforms(params) {
    const { batch, channels, height, width, filter, mode } = params;
    const out = outputSize(params);
    const scale = (mode === "up" ? 2 : 1) / sumOf(filter);
    return {
      planes: batch * channels,
      height,
      width,
      out_height: out.height,
      out_width: out.width,
      taps: filter.length,
      filter_taps: Array.from({ length: MAX_TAPS }, (_, j) => (filter[j] ?? 0) * scale),
    };
  },
  grid(params, _variant, caps) {
    const { batch, channels, height, width, mode } = params;
    const out = outputSize(params);
    if (!inQuads(params)) return grid1d(batch * channels * out.height * out.width, WORKGROUP, caps);
    const lines = mode === "up" ? height : out.height;
    const quads = (mode === "up" ? width : out.width) / 4;
    return grid1d(Math.max(quads, (batch * channels * lines * quads) / turns(caps)), WORKGROUP, caps);
  },
  cost(params, bytesPerAct) {
    const { batch, channels, height, width, filter, mode, silu } = params;
    const out = outputSize(params);
    const outputs = batch * channels * out.height * out.width;
    const perAxis = mode === "up" ? filter.length / 2 : filter.length;
    const flops = isBox(filter) ? (mode === "up" ? 0 : 4) : 2 * (perAxis * perAxis + perAxis);
    return {
      flops: outputs * (flops + (silu ? 5 : 0)),
      bytes: (outputs * (silu ? 2 : 1) + batch * channels * height * width) * bytesPerAct,
    };
  },
  reference,
  cases: (["down", "up"] as const).flatMap((mode) => [
    { name: `${mode}, odd size`, params: { batch: 1, channels: 2, height: 5, width: 7, filter: [1, 3, 3, 1], mode } },
    { name: `${mode}, [1,1]`, params: { batch: 2, channels: 5, height: 6, width: 10, filter: [1, 1], mode } },
    { name: `${mode}, [1,1], 2x2`, params: { batch: 1, channels: 1, height: 2, width: 2, filter: [1, 1], mode } },
    { name: `${mode}, [1,1], 32x32`, params: { batch: 2, channels: 12, height: 32, width: 32, filter: [1, 1], mode } },
    { name: `${mode}, [1,1], wide`, params: { batch: 3, channels: 7, height: 2, width: 296, filter: [1, 1], mode } },
    {
      name: `${mode}, [1,1], odd height`,
      params: { batch: 1, channels: 3, height: 7, width: 24, filter: [1, 1], mode },
    },
    { name: `${mode}, [1,3,3,1]`, params: { batch: 2, channels: 3, height: 8, width: 14, filter: [1, 3, 3, 1], mode } },
    {
      name: `${mode}, [1,1], silu`,
      params: { batch: 2, channels: 3, height: 4, width: 16, filter: [1, 1], mode, silu: true },
    },
    {
      name: `${mode}, [1,3,3,1], silu`,
      params: { batch: 1, channels: 2, height: 6, width: 10, filter: [1, 3, 3, 1], mode, silu: true },
    },
    {
      name: `${mode}, 6 taps, negative sum`,
      params: { batch: 1, channels: 3, height: 6, width: 4, filter: [0.5, -2, -3, -3, -2, 0.5], mode },
    },
    {
      // Longer than the image: most taps fall outside.
      name: `${mode}, 16 taps`,
      params: {
        batch: 2,
        channels: 2,
        height: 4,
        width: 6,
        filter: [1, 2, 3, 4, 5, 6, 7, 8, 8, 7, 6, 5, 4, 3, 2, 1],
        mode,
      },
    },
    ...(mode === "up"
      ? [
          { name: "up, one pixel", params: { batch: 3, channels: 1, height: 1, width: 1, filter: [1, 1], mode } },
          {
            name: "up, odd sizes",
            params: { batch: 1, channels: 2, height: 5, width: 7, filter: [1, 3, 3, 1], mode },
          },
        ]
      : []),
  ]),
  tolerance: { f32: 1e-6, f16: 1e-3 },
};

function outputSize({ height, width, mode }: ResampleParams) {
  return mode === "up"
    ? { height: height * 2, width: width * 2 }
    : { height: Math.floor(height / 2), width: Math.floor(width / 2) };
}

function isBox(filter: readonly number[]): boolean {
  return filter.length === 2;
}

/** Whether quads.wgsl fits. */
function inQuads({ height, width, filter, mode }: ResampleParams): boolean {
  return isBox(filter) && (mode === "up" ? width % 4 === 0 : width % 8 === 0 && height % 2 === 0);
}

function sumOf(filter: readonly number[]): number {
  return filter.reduce((a, b) => a + b, 0);
}

function checkFilter(filter: readonly number[]): void {
  const shown = `[${filter.join(", ")}]`;
  if (filter.length < 2 || filter.length > MAX_TAPS || filter.length % 2 !== 0) {
    fail("resample", `filter must have an even length from 2 to ${MAX_TAPS}`, filter.length);
  }
  for (const value of filter) finiteNumber("resample", "every filter tap", value);
  if (filter.some((value, i) => value !== filter[filter.length - 1 - i])) {
    fail("resample", `filter must be symmetric, got ${shown}`);
  }
  // Relative, because [0.1, -0.3, 0.2, ...] rarely sums to an exact 0.
  const magnitude = filter.reduce((a, b) => a + Math.abs(b), 0);
  if (!(Math.abs(sumOf(filter)) > 1e-9 * magnitude)) fail("resample", `filter must not sum to 0, got ${shown}`);
}
