import { operators } from "../operators.js";
import { measurementAndTikhonov } from "../simple.js";
import { OWN_PRESET } from "./common.js";
import { task } from "./task.js";

/** A Gaussian blur of a picture that goes on outside by a rule. */
export const gaussianDeblur = task({
  preset: OWN_PRESET,
  blur: true,
  baselines: measurementAndTikhonov,
  flags: {
    kernelSize: {
      option: "--kernel-size <n>",
      help: "gaussian_deblur: an odd number (default: 9)",
      value: { integer: { min: 1, max: 4096 } },
    },
    std: { option: "--std <x>", help: "gaussian_deblur: in pixels (default: 1.5)", value: { number: { above: 0 } } },
    boundary: {
      option: "--boundary <how>",
      help: "gaussian_deblur: how the picture goes on outside: circular, reflect, symmetric, zero (default: reflect)",
      value: { choice: ["reflect", "symmetric", "zero", "circular"] },
    },
  },
  make(gpu, shape, { kernelSize = 9, std = 1.5, boundary = "reflect" }) {
    const centre = boundary === "circular" ? { centre: "kernel" as const } : {};
    return {
      operator: operators.gaussianBlur(gpu, { shape, kernelSize, std, boundary, ...centre }),
      description: `Gaussian blur of std ${std}, kernel ${kernelSize}x${kernelSize}, ${boundary}`,
      options: { kernelSize, std, boundary },
    };
  },
});
