import type { AnyKernel } from "../src/gpu/contract.js";
import { addNoise } from "./add-noise/kernel.js";
import { attention } from "./attention/kernel.js";
import { axisGather } from "./axis-gather/kernel.js";
import { channelAffine } from "./channel-affine/kernel.js";
import { conv } from "./conv/kernel.js";
import { conv2d } from "./conv2d/kernel.js";
import { ema } from "./ema/kernel.js";
import { eulerStep } from "./euler-step/kernel.js";
import { fftJoin } from "./fft-join/kernel.js";
import { fftPack } from "./fft-pack/kernel.js";
import { fftPass } from "./fft-pass/kernel.js";
import { fftSplit } from "./fft-split/kernel.js";
import { fftUnpack } from "./fft-unpack/kernel.js";
import { finite } from "./finite/kernel.js";
import { fourier } from "./fourier/kernel.js";
import { gemm } from "./gemm/kernel.js";
import { groupFold } from "./group-fold/kernel.js";
import { groupStats } from "./group-stats/kernel.js";
import { heunStep } from "./heun-step/kernel.js";
import { injectNoise } from "./inject-noise/kernel.js";
import { layerNorm } from "./layer-norm/kernel.js";
import { linear } from "./linear/kernel.js";
import { maskFilter } from "./mask-filter/kernel.js";
import { maskProximal } from "./mask-proximal/kernel.js";
import { matmul } from "./matmul/kernel.js";
import { mpCat } from "./mp-cat/kernel.js";
import { mpSilu } from "./mp-silu/kernel.js";
import { mpSum } from "./mp-sum/kernel.js";
import { normal } from "./normal/kernel.js";
import { phaseAmplitude } from "./phase-amplitude/kernel.js";
import { phaseResidual } from "./phase-residual/kernel.js";
import { pixelNorm } from "./pixel-norm/kernel.js";
import { pool2d } from "./pool2d/kernel.js";
import { precondIn } from "./precond-in/kernel.js";
import { precondOut } from "./precond-out/kernel.js";
import { renoise } from "./renoise/kernel.js";
import { resample } from "./resample/kernel.js";
import { scale } from "./scale/kernel.js";
import { sigmaCombine } from "./sigma-combine/kernel.js";
import { softmax } from "./softmax/kernel.js";
import { spectralFilter } from "./spectral-filter/kernel.js";
import { spectralProximal } from "./spectral-proximal/kernel.js";
import { subsample } from "./subsample/kernel.js";
import { toBytes } from "./to-bytes/kernel.js";
import { tokenAttention } from "./token-attention/kernel.js";
import { ulaStep } from "./ula-step/kernel.js";
import { winogradInput } from "./winograd-input/kernel.js";
import { winogradOutput } from "./winograd-output/kernel.js";

/** Every kernel; contract test, correctness test and microbenchmark run over this list. */
export const kernels: readonly AnyKernel[] = [
  addNoise,
  attention,
  axisGather,
  channelAffine,
  conv,
  conv2d,
  ema,
  eulerStep,
  fftJoin,
  fftPack,
  fftPass,
  fftSplit,
  fftUnpack,
  finite,
  fourier,
  gemm,
  groupFold,
  groupStats,
  heunStep,
  injectNoise,
  layerNorm,
  linear,
  maskFilter,
  maskProximal,
  matmul,
  mpCat,
  mpSilu,
  mpSum,
  normal,
  phaseAmplitude,
  phaseResidual,
  pixelNorm,
  pool2d,
  precondIn,
  precondOut,
  renoise,
  resample,
  scale,
  sigmaCombine,
  softmax,
  spectralFilter,
  spectralProximal,
  subsample,
  toBytes,
  winogradInput,
  winogradOutput,
  tokenAttention,
  ulaStep,
];

export {
  addNoise,
  attention,
  axisGather,
  channelAffine,
  conv,
  conv2d,
  ema,
  eulerStep,
  fftJoin,
  fftPack,
  fftPass,
  fftSplit,
  fftUnpack,
  finite,
  fourier,
  gemm,
  groupFold,
  groupStats,
  heunStep,
  injectNoise,
  linear,
  maskFilter,
  maskProximal,
  matmul,
  mpCat,
  mpSilu,
  mpSum,
  normal,
  phaseAmplitude,
  phaseResidual,
  pixelNorm,
  pool2d,
  precondIn,
  precondOut,
  renoise,
  resample,
  scale,
  sigmaCombine,
  softmax,
  spectralFilter,
  spectralProximal,
  subsample,
  toBytes,
  ulaStep,
  winogradInput,
  winogradOutput,
};
