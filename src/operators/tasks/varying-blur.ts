import { bad } from "../../errors.js";
import { gaussianKernel } from "../blur-kernels.js";
import { operators } from "../operators.js";
import { measurementAndTikhonov } from "../simple.js";
import { CG_FLAGS, conjugate, fitting, OWN_PRESET } from "./common.js";
import { task } from "./task.js";

/** Standard deviations, in pixels, of the left and the right border of the blur without files. */
const STDS = [0.4, 2];

/** A blur that changes over the picture: a sum of blurs with weights. */
export const varyingBlur = task({
  preset: OWN_PRESET,
  baselines: measurementAndTikhonov,
  flags: {
    kernels: {
      option: "--kernels <file>",
      help: "varying_blur: K x k x k values (default: Gaussians of std 0.4 on the left to 2 on the right)",
      value: { file: "array" },
    },
    weights: {
      option: "--weights <numbers|file>",
      help: "varying_blur: K x H x W values, how much of each kernel a pixel is spread with",
      value: { file: "array" },
    },
    ...CG_FLAGS,
  },
  make(gpu, shape, options) {
    const [, h, w] = shape;
    const { kernels, weights } = options;
    const { solver, record } = conjugate(options);
    if (!kernels !== !weights) throw bad("--kernels and --weights of varying_blur belong together: give both");
    if (!kernels || !weights) {
      const kernelSize = 9;
      const both = STDS.map((std) => gaussianKernel(kernelSize, std));
      const ramp = Float32Array.from({ length: 2 * h * w }, (_, i) => {
        const right = (i % w) / Math.max(1, w - 1);
        return i < h * w ? 1 - right : right;
      });
      const values = Float32Array.from(both.flatMap((kernel) => Array.from(kernel)));
      return {
        operator: operators.varyingBlur(gpu, { shape, kernels: values, kernelSize, weights: ramp, ...solver }),
        description: `Gaussian blur of std ${STDS.join(" on the left to ")} on the right, kernel ${kernelSize}x${kernelSize}`,
        options: { stds: STDS, ...record },
      };
    }
    const [count = 0, size = 0] = kernels.shape;
    fitting("--kernels", kernels, [count, size, size]);
    return {
      operator: operators.varyingBlur(gpu, {
        ...{ shape, kernels: kernels.values, kernelSize: size },
        weights: fitting("--weights", weights, [count, h, w]),
        ...solver,
      }),
      description: `${count} blurs of ${size}x${size} from ${kernels.name}, with the weights ${weights.name}`,
      options: { kernels: kernels.sha256, weights: weights.sha256, ...record },
    };
  },
});
