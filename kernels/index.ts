import type { AnyKernel } from "../src/gpu/contract.js";
import { distanceWeight } from "./energy/distance-weight/kernel.js";
import { energyHead } from "./energy/energy-head/kernel.js";
import { gatherRows } from "./energy/gather-rows/kernel.js";
import { levelDraw } from "./energy/level-draw/kernel.js";
import { normAct } from "./energy/norm-act/kernel.js";
import { normActBackward } from "./energy/norm-act-backward/kernel.js";
import { normActParameters } from "./energy/norm-act-parameters/kernel.js";
import { normActSecond } from "./energy/norm-act-second/kernel.js";
import { normActTangent } from "./energy/norm-act-tangent/kernel.js";
import { pointDraw } from "./energy/point-draw/kernel.js";
import { posteriorTarget } from "./energy/posterior-target/kernel.js";
import { posteriorTiles } from "./energy/posterior-tiles/kernel.js";
import { rowSums } from "./energy/row-sums/kernel.js";
import { scoreLoss } from "./energy/score-loss/kernel.js";
import { sinusoid } from "./energy/sinusoid/kernel.js";
import { sinusoidBackward } from "./energy/sinusoid-backward/kernel.js";
import { sinusoidCurvature } from "./energy/sinusoid-curvature/kernel.js";
import { sinusoidTangent } from "./energy/sinusoid-tangent/kernel.js";
import { biasAct } from "./features/bias-act/kernel.js";
import { conv2d } from "./features/conv2d/kernel.js";
import { layerNorm } from "./features/layer-norm/kernel.js";
import { patches } from "./features/patches/kernel.js";
import { placeTokens } from "./features/place-tokens/kernel.js";
import { planesOut } from "./features/planes-out/kernel.js";
import { pool2d } from "./features/pool2d/kernel.js";
import { swiglu } from "./features/swiglu/kernel.js";
import { tokenAttention } from "./features/token-attention/kernel.js";
import { attention } from "./network/attention/kernel.js";
import { attentionBackwardKeys } from "./network/attention-backward-keys/kernel.js";
import { attentionBackwardNorms } from "./network/attention-backward-norms/kernel.js";
import { attentionBackwardQueries } from "./network/attention-backward-queries/kernel.js";
import { axpby } from "./network/axpby/kernel.js";
import { conv } from "./network/conv/kernel.js";
import { convWeightBackward } from "./network/conv-weight-backward/kernel.js";
import { convWeightBackwardCombine } from "./network/conv-weight-backward-combine/kernel.js";
import { convWeightBackwardPixels } from "./network/conv-weight-backward-pixels/kernel.js";
import { convWeightBackwardProducts } from "./network/conv-weight-backward-products/kernel.js";
import { convWeightBackwardTiles } from "./network/conv-weight-backward-tiles/kernel.js";
import { diffuse } from "./network/diffuse/kernel.js";
import { discPool } from "./network/disc-pool/kernel.js";
import { discPoolBackward } from "./network/disc-pool-backward/kernel.js";
import { dropout } from "./network/dropout/kernel.js";
import { embedding } from "./network/embedding/kernel.js";
import { fourier } from "./network/fourier/kernel.js";
import { gemm } from "./network/gemm/kernel.js";
import { implicitGemm } from "./network/implicit-gemm/kernel.js";
import { injectNoise } from "./network/inject-noise/kernel.js";
import { linear } from "./network/linear/kernel.js";
import { linearWeightBackward } from "./network/linear-weight-backward/kernel.js";
import { mpCat } from "./network/mp-cat/kernel.js";
import { mpCatBackward } from "./network/mp-cat-backward/kernel.js";
import { mpSilu } from "./network/mp-silu/kernel.js";
import { mpSiluBackward } from "./network/mp-silu-backward/kernel.js";
import { mpSum } from "./network/mp-sum/kernel.js";
import { mpSumBackward } from "./network/mp-sum-backward/kernel.js";
import { mpSumWeightBackward } from "./network/mp-sum-weight-backward/kernel.js";
import { packWeight } from "./network/pack-weight/kernel.js";
import { pixelNorm } from "./network/pixel-norm/kernel.js";
import { pixelNormBackward } from "./network/pixel-norm-backward/kernel.js";
import { precondIn } from "./network/precond-in/kernel.js";
import { precondInBackward } from "./network/precond-in-backward/kernel.js";
import { precondOut } from "./network/precond-out/kernel.js";
import { precondOutBackward } from "./network/precond-out-backward/kernel.js";
import { resample } from "./network/resample/kernel.js";
import { scaleSilu } from "./network/scale-silu/kernel.js";
import { scaleSiluBackward } from "./network/scale-silu-backward/kernel.js";
import { total } from "./network/total/kernel.js";
import { winogradInput } from "./network/winograd-input/kernel.js";
import { winogradOutput } from "./network/winograd-output/kernel.js";
import { winogradWeight } from "./network/winograd-weight/kernel.js";
import { aliasFold } from "./operators/alias-fold/kernel.js";
import { aliasSpread } from "./operators/alias-spread/kernel.js";
import { axisGather } from "./operators/axis-gather/kernel.js";
import { axisProduct } from "./operators/axis-product/kernel.js";
import { blockDct } from "./operators/block-dct/kernel.js";
import { cellLaw } from "./operators/cell-law/kernel.js";
import { cglsScalars } from "./operators/cgls-scalars/kernel.js";
import { cglsVectors } from "./operators/cgls-vectors/kernel.js";
import { ctBack } from "./operators/ct-back/kernel.js";
import { ctProject } from "./operators/ct-project/kernel.js";
import { ctRotate } from "./operators/ct-rotate/kernel.js";
import { fftJoin } from "./operators/fft-join/kernel.js";
import { fftPack } from "./operators/fft-pack/kernel.js";
import { fftPass } from "./operators/fft-pass/kernel.js";
import { fftSplit } from "./operators/fft-split/kernel.js";
import { fftUnpack } from "./operators/fft-unpack/kernel.js";
import { gramStep } from "./operators/gram-step/kernel.js";
import { hadamardPass } from "./operators/hadamard-pass/kernel.js";
import { hdrLaw } from "./operators/hdr-law/kernel.js";
import { hermitianExpand } from "./operators/hermitian-expand/kernel.js";
import { hermitianFold } from "./operators/hermitian-fold/kernel.js";
import { levelSum } from "./operators/level-sum/kernel.js";
import { maskFilter } from "./operators/mask-filter/kernel.js";
import { maskProximal } from "./operators/mask-proximal/kernel.js";
import { matrixProduct } from "./operators/matrix-product/kernel.js";
import { mriProximal } from "./operators/mri-proximal/kernel.js";
import { phaseAmplitude } from "./operators/phase-amplitude/kernel.js";
import { phaseResidual } from "./operators/phase-residual/kernel.js";
import { pointMeasure } from "./operators/point-measure/kernel.js";
import { poissonLaw } from "./operators/poisson-law/kernel.js";
import { singularFilter } from "./operators/singular-filter/kernel.js";
import { spectralFilter } from "./operators/spectral-filter/kernel.js";
import { spectralProximal } from "./operators/spectral-proximal/kernel.js";
import { spectrumPlanes } from "./operators/spectrum-planes/kernel.js";
import { squareSums } from "./operators/square-sums/kernel.js";
import { varyingBlur } from "./operators/varying-blur/kernel.js";
import { viewCombine } from "./operators/view-combine/kernel.js";
import { viewMeasure } from "./operators/view-measure/kernel.js";
import { viewTake } from "./operators/view-take/kernel.js";
import { chooseOne } from "./priors/choose-one/kernel.js";
import { mixtureCoordinates } from "./priors/mixture-coordinates/kernel.js";
import { mixtureMean } from "./priors/mixture-mean/kernel.js";
import { mixtureSlopes } from "./priors/mixture-slopes/kernel.js";
import { setDistances } from "./priors/set-distances/kernel.js";
import { softmaxRows } from "./priors/softmax-rows/kernel.js";
import { tiltWeights } from "./priors/tilt-weights/kernel.js";
import { weightedMean } from "./priors/weighted-mean/kernel.js";
import { addDirections } from "./sampling/add-directions/kernel.js";
import { addNoise } from "./sampling/add-noise/kernel.js";
import { clampGiven } from "./sampling/clamp-given/kernel.js";
import { clip } from "./sampling/clip/kernel.js";
import { ddimStep } from "./sampling/ddim-step/kernel.js";
import { diagonalSolve } from "./sampling/diagonal-solve/kernel.js";
import { ema } from "./sampling/ema/kernel.js";
import { eulerStep } from "./sampling/euler-step/kernel.js";
import { finite } from "./sampling/finite/kernel.js";
import { freeLangevin } from "./sampling/free-langevin/kernel.js";
import { gatherFree } from "./sampling/gather-free/kernel.js";
import { heunStep } from "./sampling/heun-step/kernel.js";
import { hmcAccept } from "./sampling/hmc-accept/kernel.js";
import { hmcStart } from "./sampling/hmc-start/kernel.js";
import { hmcStep } from "./sampling/hmc-step/kernel.js";
import { knownPixels } from "./sampling/known-pixels/kernel.js";
import { krylovSolve } from "./sampling/krylov-solve/kernel.js";
import { krylovStep } from "./sampling/krylov-step/kernel.js";
import { leapfrog } from "./sampling/leapfrog/kernel.js";
import { mixtureDensity } from "./sampling/mixture-density/kernel.js";
import { normSlope } from "./sampling/norm-slope/kernel.js";
import { normal } from "./sampling/normal/kernel.js";
import { permuteRows } from "./sampling/permute-rows/kernel.js";
import { renoise } from "./sampling/renoise/kernel.js";
import { residualNorm } from "./sampling/residual-norm/kernel.js";
import { reweight } from "./sampling/reweight/kernel.js";
import { scale } from "./sampling/scale/kernel.js";
import { sigmaCombine } from "./sampling/sigma-combine/kernel.js";
import { systematic } from "./sampling/systematic/kernel.js";
import { takeRows } from "./sampling/take-rows/kernel.js";
import { tallyTaken } from "./sampling/tally-taken/kernel.js";
import { temper } from "./sampling/temper/kernel.js";
import { ulaStep } from "./sampling/ula-step/kernel.js";
import { adam } from "./training/adam/kernel.js";
import { adamRows } from "./training/adam-rows/kernel.js";
import { add } from "./training/add/kernel.js";
import { clipEntries } from "./training/clip-entries/kernel.js";
import { denoisingLoss } from "./training/denoising-loss/kernel.js";
import { gainGradients } from "./training/gain-gradients/kernel.js";
import { logisticLoss } from "./training/logistic-loss/kernel.js";
import { normalizeRows } from "./training/normalize-rows/kernel.js";
import { powerEma } from "./training/power-ema/kernel.js";
import { rowGradients } from "./training/row-gradients/kernel.js";
import { rowScales } from "./training/row-scales/kernel.js";
import { slowEntries } from "./training/slow-entries/kernel.js";
import { sumRows } from "./training/sum-rows/kernel.js";
import { channelAffine } from "./vae/channel-affine/kernel.js";
import { groupFold } from "./vae/group-fold/kernel.js";
import { groupStats } from "./vae/group-stats/kernel.js";
import { matmul } from "./vae/matmul/kernel.js";
import { softmax } from "./vae/softmax/kernel.js";
import { subsample } from "./vae/subsample/kernel.js";

/** Every kernel; contract test, correctness test and microbenchmark run over this list. */
export const kernels: readonly AnyKernel[] = [
  adam,
  add,
  clampGiven,
  gatherFree,
  hmcStart,
  leapfrog,
  hmcAccept,
  takeRows,
  tallyTaken,
  temper,
  reweight,
  systematic,
  permuteRows,
  freeLangevin,
  mixtureDensity,
  addDirections,
  addNoise,
  axpby,
  convWeightBackward,
  linearWeightBackward,
  mpCatBackward,
  mpSiluBackward,
  mpSumBackward,
  mpSumWeightBackward,
  packWeight,
  pixelNormBackward,
  precondInBackward,
  precondOutBackward,
  scaleSilu,
  scaleSiluBackward,
  total,
  winogradWeight,
  attention,
  attentionBackwardKeys,
  attentionBackwardNorms,
  attentionBackwardQueries,
  aliasFold,
  aliasSpread,
  hdrLaw,
  cellLaw,
  poissonLaw,
  pointMeasure,
  blockDct,
  ctProject,
  ctBack,
  ctRotate,
  viewTake,
  viewCombine,
  viewMeasure,
  spectrumPlanes,
  mriProximal,
  hermitianExpand,
  hermitianFold,
  axisGather,
  axisProduct,
  hadamardPass,
  matrixProduct,
  varyingBlur,
  cglsScalars,
  cglsVectors,
  gramStep,
  levelSum,
  squareSums,
  channelAffine,
  clip,
  clipEntries,
  conv,
  biasAct,
  conv2d,
  denoisingLoss,
  diagonalSolve,
  diffuse,
  ddimStep,
  discPool,
  discPoolBackward,
  ema,
  eulerStep,
  fftJoin,
  fftPack,
  fftPass,
  fftSplit,
  fftUnpack,
  finite,
  dropout,
  embedding,
  fourier,
  gemm,
  implicitGemm,
  groupFold,
  groupStats,
  heunStep,
  hmcStep,
  injectNoise,
  knownPixels,
  krylovSolve,
  krylovStep,
  layerNorm,
  linear,
  logisticLoss,
  maskFilter,
  maskProximal,
  matmul,
  mpCat,
  mpSilu,
  mpSum,
  normal,
  normalizeRows,
  rowScales,
  rowGradients,
  gainGradients,
  adamRows,
  normSlope,
  phaseAmplitude,
  phaseResidual,
  pixelNorm,
  patches,
  pool2d,
  planesOut,
  powerEma,
  precondIn,
  precondOut,
  renoise,
  resample,
  residualNorm,
  scale,
  sigmaCombine,
  softmax,
  singularFilter,
  spectralFilter,
  spectralProximal,
  subsample,
  slowEntries,
  sumRows,
  convWeightBackwardPixels,
  convWeightBackwardTiles,
  convWeightBackwardCombine,
  convWeightBackwardProducts,
  winogradInput,
  winogradOutput,
  placeTokens,
  swiglu,
  tokenAttention,
  distanceWeight,
  energyHead,
  normAct,
  normActBackward,
  gatherRows,
  levelDraw,
  pointDraw,
  posteriorTarget,
  posteriorTiles,
  normActParameters,
  normActSecond,
  normActTangent,
  rowSums,
  scoreLoss,
  sinusoidCurvature,
  sinusoidTangent,
  sinusoid,
  sinusoidBackward,
  ulaStep,
  chooseOne,
  mixtureCoordinates,
  mixtureMean,
  setDistances,
  softmaxRows,
  weightedMean,
  mixtureSlopes,
  tiltWeights,
];
