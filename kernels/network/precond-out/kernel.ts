import { read, write } from "../../lib/buffers.js";
import { noisyCase as at } from "../../lib/cases.js";
import { positiveNumber } from "../../lib/check.js";
import { elementwise } from "../../lib/elementwise.js";
import precond from "../../lib/precond.wgsl.js";
import source from "./kernel.wgsl.js";
import { type PrecondOutParams, reference } from "./reference.js";

/** x (f32 [N, C, P]), f (act, the network's output F) and sigma (f32 [N]) to d (f32) = c_skip x + c_out f. */
export const precondOut = elementwise<PrecondOutParams>({
  name: "precond-out",
  group: "network",
  source,
  parts: [{ file: "kernels/lib/precond.wgsl", text: precond }],
  counts: ({ batch, channels, pixels }) => ({ batch, channels, pixels }),
  check({ sigmaData }) {
    positiveNumber("precond-out", "sigmaData", sigmaData);
  },
  buffers: ({ batch }, n) => [read("x", n), read("f", n, "act"), read("sigma", batch), write("d", n)],
  uniforms: ({ channels, pixels }) => ({ size: channels * pixels }),
  flops: (_, n) => 3 * n,
  reference,
  cases: [
    at("one element", { batch: 1, channels: 1, pixels: 1, sigmaData: 0.5 }, [2]),
    // One level a case: in a batch of several, the errors at one level hide behind the size of another.
    ...[1e-4, 0.002, 0.5, 14.6, 80, 1e3].map((sigma) =>
      at(`sigma ${sigma}`, { batch: 1, channels: 3, pixels: 35, sigmaData: 0.5 }, [sigma]),
    ),
    at("one sigma per image", { batch: 3, channels: 4, pixels: 77, sigmaData: 0.5 }, [0.002, 0.5, 80]),
    at("sigma_data 1", { batch: 2, channels: 1, pixels: 50, sigmaData: 1 }, [1, 0.3]),
    at("64x64", { batch: 2, channels: 3, pixels: 4096, sigmaData: 0.5 }, [14.6, 0.1]),
  ],
  tolerance: { f32: 1e-6, f16: 1e-6 },
});
