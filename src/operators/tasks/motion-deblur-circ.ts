import { measurementAndWiener } from "../baselines.js";
import { operators } from "../operators.js";
import {
  ALWAYS,
  ANNEALING,
  authors,
  CENTRE_FLAG,
  centred,
  checkKernelSize,
  fitKernel,
  KERNEL_SIZE,
  KERNEL_SIZE_FLAG,
  SEED,
  scaleNote,
} from "./common.js";
import { task } from "./task.js";

/** A circular blur by a path of the camera. The reference's preset has beta 3e-3, the paper's table 4e-3. */
export const motionDeblurCirc = task({
  preset: { ...ANNEALING, beta: 3e-3, emaSigma: ALWAYS, emaDecay: 0.6 },
  blur: true,
  baselines: measurementAndWiener,
  samplers: authors({ strength: 0.3, step: 5e-5, hmc: [96, 3.69e-5, 0.01, 0.11] }),
  settings: { paper: { ...ANNEALING, beta: 4e-3, emaSigma: ALWAYS, emaDecay: 0.6 } },
  flags: {
    kernelSize: KERNEL_SIZE_FLAG,
    intensity: {
      option: "--intensity <x>",
      help: "motion_deblur_circ: how much the camera shakes, 0 to 1 (default: 0.5)",
      value: { number: { min: 0, max: 1 } },
    },
    kernelSeed: { option: "--kernel-seed <n>", help: "motion_deblur_circ: which path (default: 0)", value: SEED },
    kernel: {
      option: "--kernel <file>",
      help: "motion_deblur_circ: a kernel of your own, PNG or .npy; it is normalised to sum 1",
      value: { file: "kernel" },
      excludes: ["kernelSize", "intensity", "kernelSeed"],
    },
    kernelCentre: CENTRE_FLAG,
  },
  make(gpu, shape, options) {
    const centre = centred(options.kernelCentre);
    if (options.kernel) {
      const { values: kernel, name, sha256 } = options.kernel;
      const kernelSize = Math.sqrt(kernel.length);
      return {
        operator: operators.motionBlur(gpu, { shape, kernel, kernelSize, ...centre }),
        description: `blur by the kernel ${name} (${kernelSize}x${kernelSize}), circular`,
        options: { kernel: sha256, ...centre },
      };
    }
    const fitted = fitKernel(shape);
    const kernelSize = checkKernelSize(options.kernelSize ?? fitted.size, shape);
    const { intensity = 0.5, kernelSeed = 0 } = options;
    const scaled = options.kernelSize === undefined && fitted.scale !== 1;
    const became = `${kernelSize}x${kernelSize}`;
    return {
      operator: operators.motionBlur(gpu, { shape, kernelSize, intensity, seed: kernelSeed, ...centre }),
      description: `motion blur of intensity ${intensity}, kernel ${kernelSize}x${kernelSize}, circular`,
      notes: scaled ? [scaleNote(`the kernel of ${KERNEL_SIZE}x${KERNEL_SIZE}`, became, shape)] : [],
      options: { kernelSize, intensity, kernelSeed, ...centre },
    };
  },
});
