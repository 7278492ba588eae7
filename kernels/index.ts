import type { AnyKernel } from "../src/gpu/contract.js";
import { attention } from "./attention/kernel.js";
import { conv } from "./conv/kernel.js";
import { eulerStep } from "./euler-step/kernel.js";
import { finite } from "./finite/kernel.js";
import { fourier } from "./fourier/kernel.js";
import { heunStep } from "./heun-step/kernel.js";
import { injectNoise } from "./inject-noise/kernel.js";
import { linear } from "./linear/kernel.js";
import { mpCat } from "./mp-cat/kernel.js";
import { mpSilu } from "./mp-silu/kernel.js";
import { mpSum } from "./mp-sum/kernel.js";
import { normal } from "./normal/kernel.js";
import { pixelNorm } from "./pixel-norm/kernel.js";
import { precondIn } from "./precond-in/kernel.js";
import { precondOut } from "./precond-out/kernel.js";
import { renoise } from "./renoise/kernel.js";
import { resample } from "./resample/kernel.js";
import { scale } from "./scale/kernel.js";
import { sigmaCombine } from "./sigma-combine/kernel.js";
import { toBytes } from "./to-bytes/kernel.js";

/** Every kernel; contract test, correctness test and microbenchmark run over this list. */
export const kernels: readonly AnyKernel[] = [
  attention,
  conv,
  eulerStep,
  finite,
  fourier,
  heunStep,
  injectNoise,
  linear,
  mpCat,
  mpSilu,
  mpSum,
  normal,
  pixelNorm,
  precondIn,
  precondOut,
  renoise,
  resample,
  scale,
  sigmaCombine,
  toBytes,
];

export {
  attention,
  conv,
  eulerStep,
  finite,
  fourier,
  heunStep,
  injectNoise,
  linear,
  mpCat,
  mpSilu,
  mpSum,
  normal,
  pixelNorm,
  precondIn,
  precondOut,
  renoise,
  resample,
  scale,
  sigmaCombine,
  toBytes,
};
