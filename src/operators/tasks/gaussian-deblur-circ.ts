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
  scaleNote,
} from "./common.js";
import { task } from "./task.js";

const GAUSSIAN_STD = 3;

/** A circular Gaussian blur; kernel and standard deviation scale with small images: at 32x32 a 21x21 kernel of std 1.06. */
export const gaussianDeblurCirc = task({
  preset: { ...ANNEALING, beta: 2e-3, emaSigma: ALWAYS, emaDecay: 0.6 },
  blur: true,
  baselines: measurementAndWiener,
  samplers: authors({ strength: 0.3, step: 1e-4, hmc: [82, 4.04e-5, 0.011, 0.1] }),
  flags: {
    kernelSize: KERNEL_SIZE_FLAG,
    std: {
      option: "--std <x>",
      help: "gaussian_deblur_circ: in pixels (default: 3, scaled for small images)",
      value: { number: { above: 0 } },
    },
    kernelCentre: CENTRE_FLAG,
  },
  make(gpu, shape, options) {
    const centre = centred(options.kernelCentre);
    const fitted = fitKernel(shape);
    const kernelSize = checkKernelSize(options.kernelSize ?? fitted.size, shape);
    const std = options.std ?? GAUSSIAN_STD * fitted.scale;
    const scaled = options.kernelSize === undefined && options.std === undefined && fitted.scale !== 1;
    const became = `${kernelSize}x${kernelSize} and std ${std.toFixed(2)}`;
    return {
      operator: operators.gaussianBlur(gpu, { shape, kernelSize, std, ...centre }),
      description: `Gaussian blur of std ${Number(std.toPrecision(3))}, kernel ${kernelSize}x${kernelSize}, circular`,
      notes: scaled
        ? [scaleNote(`the kernel of ${KERNEL_SIZE}x${KERNEL_SIZE} and std ${GAUSSIAN_STD}`, became, shape)]
        : [],
      options: { kernelSize, std, ...centre },
    };
  },
});
