import { read, write } from "../../lib/buffers.js";
import { type CtParams, ctKernel } from "../../lib/ct.js";
import ct from "../../lib/ct.wgsl.js";
import { elementwise } from "../../lib/elementwise.js";
import source from "./kernel.wgsl.js";
import { reference } from "./reference.js";

/** The adjoint of ct-project: back projection. */
export const ctBack = elementwise<CtParams>({
  ...ctKernel("ct-back"),
  source,
  parts: [{ file: "kernels/lib/ct.wgsl", text: ct }],
  threads: ({ planes, height, width }) => planes * Math.ceil(height / 4) * width,
  buffers: ({ planes, height, width, angles, detectors }) => [
    read("x", planes * angles * detectors),
    read("directions", 4 * angles),
    write("y", planes * height * width),
  ],
  flags: ({ fan }) => ({ FAN: fan }),
  flops: ({ planes, height, width, angles }) => 12 * planes * height * width * angles,
  reference,
});
