import { read, write } from "../../lib/buffers.js";
import { finiteNumber } from "../../lib/check.js";
import { elementwise } from "../../lib/elementwise.js";
import exp from "../../lib/exp.wgsl.js";
import source from "./kernel.wgsl.js";
import { type LogisticLossParams, reference } from "./reference.js";

/** z [N] to loss and dz [N]. All f32. */
export const logisticLoss = elementwise<LogisticLossParams>({
  name: "logistic-loss",
  group: "training",
  source,
  parts: [{ file: "kernels/lib/exp.wgsl", text: exp }],
  counts: ({ batch }) => ({ batch }),
  check: ({ factor }) => finiteNumber("logistic-loss", "factor", factor),
  flags: ({ real }) => ({ REAL: real }),
  buffers: ({ batch }) => [read("z", batch), write("loss", batch), write("dz", batch)],
  flops: ({ batch }) => 40 * batch,
  reference,
  cases: [
    { name: "one logit, real", params: { batch: 1, real: true, factor: 1 } },
    { name: "one logit, made", params: { batch: 1, real: false, factor: 1 } },
    ...[true, false].flatMap((real) => {
      const what = real ? "real" : "made";
      return [
        { name: `from -100 to 100, ${what}`, params: { batch: 201, real, factor: 0.5 }, inputs: from(-100, 1) },
        // Where the loss is small, so that its own digits count.
        { name: `small losses, ${what}`, params: { batch: 77, real, factor: 3 }, inputs: from(real ? 3 : -80, 1) },
      ];
    }),
    { name: "a large batch", params: { batch: 2048, real: false, factor: 1 / 2048 } },
  ],
  tolerance: { f32: 3e-7, f16: 3e-7 },
});

/** Logits from `first` on, a `step` apart. */
function from(first: number, step: number) {
  return (name: string, length: number) =>
    name === "z" ? Float32Array.from({ length }, (_, i) => first + step * i) : undefined;
}
