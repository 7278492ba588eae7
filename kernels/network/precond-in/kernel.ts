import { read, write } from "../../lib/buffers.js";
import { noisyCase as at } from "../../lib/cases.js";
import { positiveNumber } from "../../lib/check.js";
import { elementwise } from "../../lib/elementwise.js";
import source from "./kernel.wgsl.js";
import { type PrecondInParams, reference } from "./reference.js";

/** x (f32 [N, C, P]) and sigma (f32 [N]) to y (act [N, C+1, P]): c_in x, and a last channel of exactly 1. */
export const precondIn = elementwise<PrecondInParams>({
  name: "precond-in",
  group: "network",
  source,
  counts: ({ batch, channels, pixels }) => ({ batch, channels, pixels }),
  check({ sigmaData }) {
    positiveNumber("precond-in", "sigmaData", sigmaData);
  },
  threads: ({ batch, channels, pixels }) => batch * (channels + 1) * pixels,
  buffers({ batch, channels, pixels }) {
    return [
      read("x", batch * channels * pixels),
      read("sigma", batch),
      write("y", batch * (channels + 1) * pixels, "act"),
    ];
  },
  flops: ({ batch, channels, pixels }) => batch * channels * pixels,
  reference,
  cases: [
    at("one element", { batch: 1, channels: 1, pixels: 1, sigmaData: 0.5 }, [2]),
    at("smallest sigma", { batch: 1, channels: 3, pixels: 35, sigmaData: 0.5 }, [1e-4]),
    at("largest sigma", { batch: 1, channels: 4, pixels: 64, sigmaData: 0.5 }, [1e3]),
    at("one sigma per image", { batch: 3, channels: 3, pixels: 77, sigmaData: 0.5 }, [0.002, 0.5, 80]),
    at("sigma_data 1", { batch: 2, channels: 1, pixels: 50, sigmaData: 1 }, [1, 0.3]),
    at("64x64", { batch: 2, channels: 3, pixels: 4096, sigmaData: 0.5 }, [14.6, 0.1]),
  ],
  tolerance: { f32: 1e-6, f16: 1e-3 },
});
