/// <reference lib="esnext.disposable" preserve="true" />
/** Inverse problems: operators, samplers of posteriors, exact priors: `ncvsd-gpu/inverse`. */
export { type ErrorCode, NcvsdError } from "../errors.js";
export { openDenoiserVjp } from "../networks/edm2/derivative.js";
export type { AveragingOptions } from "../operators/averaging.js";
export type { GaussianBlurOptions, MotionBlurOptions } from "../operators/blur.js";
export { gaussianKernel, motionKernel } from "../operators/blur-kernels.js";
export type { CodedPhaseOptions } from "../operators/coded-phase.js";
export type { ColorizationOptions, DemosaicingOptions } from "../operators/colours.js";
export type { DecimatedBlurOptions } from "../operators/decimated-blur.js";
export type { GpuOperator } from "../operators/gpu-operator.js";
export type { HadamardOperator, HadamardOptions } from "../operators/hadamard.js";
export type { HdrOptions } from "../operators/hdr.js";
export type { InpaintingOptions } from "../operators/inpainting.js";
export type { JpegOptions } from "../operators/jpeg.js";
export type { LinearOptions } from "../operators/linear.js";
export type { MatrixOptions } from "../operators/matrix.js";
export { type LineMaskOptions, lineMask, type MriOptions } from "../operators/mri.js";
export type {
  EnergyInput,
  Gram,
  Law,
  LawInput,
  LawProximalInput,
  Operator,
  OperatorSession,
  OperatorStage,
  ProximalInput,
  ProximalStage,
  Solve,
  SolverOptions,
  UlaOptions,
} from "../operators/operator.js";
export { operators } from "../operators/operators.js";
export type { PhaseRetrievalOptions } from "../operators/phase-retrieval.js";
export type { LawOperator } from "../operators/pointwise.js";
export type { PoissonOptions } from "../operators/poisson.js";
export type { FourierPtychographyOptions, PtychographyOptions } from "../operators/ptychography.js";
export type { QuantizationOptions } from "../operators/quantization.js";
export type { SeparableOptions } from "../operators/separable.js";
export type { SuperResolutionOptions } from "../operators/super-resolution.js";
export type { TaskPreset } from "../operators/tasks/task.js";
export { presets, type TaskName } from "../operators/tasks.js";
export type { TomographyOptions } from "../operators/tomography.js";
export type { VaryingBlurOptions } from "../operators/varying-blur.js";
export { type DatasetPosterior, type DatasetPrior, datasetPrior } from "../priors/dataset-prior.js";
export { type ExactModel, exactModel } from "../priors/exact-model.js";
export {
  type ConditionedMixture,
  type GaussianMixture,
  gaussianMixture,
  type MixtureDraws,
  type MixtureOptions,
} from "../priors/mixture.js";
export type { NoiseCallback } from "../random/noise.js";
export { type LangevinInput, type LangevinOptions, sampleLangevin } from "../sample/langevin.js";
export type { PosteriorSampler, SettingFlag } from "../sample/posterior/sampler.js";
export { type PosteriorSamplerName, posteriorSamplers as samplers } from "../sample/posterior/samplers.js";
export {
  type PnpStepEvent,
  type SolveInverseOptions,
  type SolveInverseResult,
  solveInverse,
} from "../sample/solve-inverse.js";
