import { gaussianKernel } from "../blur-kernels.js";
import { operators } from "../operators.js";
import { tikhonov } from "../simple.js";
import { checkFactor, OWN_PRESET } from "./common.js";
import { task } from "./task.js";

/** A circular blur, of which every factor-th row and column is kept. */
export const decimatedBlur = task({
  preset: OWN_PRESET,
  baselines: tikhonov,
  flags: {
    kernel: {
      option: "--kernel <file>",
      help: "decimated_blur: its kernel (default: Gaussian of 5x5, std 1)",
      value: { file: "kernel" },
    },
    factor: {
      option: "--factor <n>",
      help: "decimated_blur: every n-th row and column is kept (default: 2)",
      value: { integer: { min: 1, max: 256 } },
    },
  },
  make(gpu, shape, { kernel, factor = 2 }) {
    const [, h, w] = shape;
    checkFactor(factor, shape);
    const kernelSize = kernel ? Math.sqrt(kernel.values.length) : 5;
    const values = kernel?.values ?? gaussianKernel(kernelSize, 1);
    const whose = kernel ? `the kernel ${kernel.name}` : "a Gaussian of std 1";
    return {
      operator: operators.decimatedBlur(gpu, { shape, kernel: values, kernelSize, factor }),
      description: `blur by ${whose} (${kernelSize}x${kernelSize}), ${w}x${h} to ${w / factor}x${h / factor}`,
      options: { factor, kernel: kernel?.sha256 ?? "gaussian 5x5, std 1" },
    };
  },
});
