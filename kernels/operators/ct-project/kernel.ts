import { read, write } from "../../lib/buffers.js";
import { type CtParams, ctKernel } from "../../lib/ct.js";
import ct from "../../lib/ct.wgsl.js";
import { elementwise } from "../../lib/elementwise.js";
import source from "./kernel.wgsl.js";
import { reference } from "./reference.js";

/** Bins of one invocation, as the WGSL has it. */
const BINS = 4;

/** Projections of pictures: the sums along rays that computed tomography measures. */
export const ctProject = elementwise<CtParams>({
  ...ctKernel("ct-project"),
  source,
  parts: [{ file: "kernels/lib/ct.wgsl", text: ct }],
  threads: ({ planes, angles, detectors }) => planes * angles * Math.ceil(detectors / BINS),
  buffers: ({ planes, height, width, angles, detectors }) => [
    read("x", planes * height * width),
    read("directions", 4 * angles),
    write("y", planes * angles * detectors),
  ],
  variant(params) {
    const taps = tapsOf(params);
    const whole = taps >= Math.min(params.height, params.width);
    const prelude = [
      `const FAN: bool = ${params.fan};`,
      `const WHOLE: bool = ${whole};`,
      `const TAPS = ${whole ? 1 : taps}u;`,
    ];
    return {
      key: `${params.fan ? "fan" : "parallel"}-${whole ? "whole" : taps}`,
      prelude: prelude.join("\n"),
    };
  },
  flops: (params) => 6 * params.planes * params.height * params.width * params.angles * 2,
  reference,
});

/** The most pixels on a line of the picture that can lie within one bin of a group's rays; Infinity where there is no bound. */
function tapsOf({ height, width, fan, scale, source, reach }: CtParams): number {
  const bins = BINS + 1;
  if (!fan) return Math.ceil((bins * Math.SQRT2) / scale);
  // Rays of a group differ in direction from its middle by at most this; past the major axis' 45 degrees the bound is lost.
  const turn = Math.atan(bins / 2 / (scale * reach));
  if (turn > 0.5) return Infinity;
  const farthest = source + Math.hypot(height - 1, width - 1) / 2;
  return Math.ceil((bins * farthest) / (scale * reach * Math.cos(Math.PI / 4 + turn))) + 1;
}
