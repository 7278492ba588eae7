/// <reference lib="esnext.disposable" preserve="true" />
export { normals } from "../kernels/lib/philox.js";
export type { Checkpoint, CheckpointInput, FetchOptions, ReadOptions, TensorInfo } from "./checkpoint/index.js";
export { type ErrorCode, NcvsdError } from "./errors.js";
export {
  type Coverage,
  calibrationFactor,
  coverage,
  densityRanks,
  mmseGap,
  type RankOptions,
  rankHistogram,
  ranks,
  type SampleSet,
} from "./evaluate/calibration.js";
export { fisherError, type GridOptions, gridWasserstein1, phiOnGrid } from "./evaluate/conditionals.js";
export { type FeatureStatistics, frechetDistance } from "./evaluate/same-features.js";
export { type ReadStatisticsOptions, readStatistics, writeStatistics } from "./evaluate/statistics-file.js";
export { slicedWasserstein, wasserstein1 } from "./evaluate/wasserstein.js";
export type { Caps, Precision } from "./gpu/contract.js";
export { type AdapterInfo, type Gpu, type OpenGpuOptions, openGpu } from "./gpu/device.js";
export type { NodeTime } from "./graph/profile.js";
export {
  encodePng,
  type FromImageOptions,
  fromImage,
  type Pixels,
  toImageData,
} from "./image/pictures.js";
export type { BatchShape } from "./image/pixels.js";
export { peekPngText as pngText } from "./image/png.js";
export { type PictureShape, psnr, ssim } from "./image/quality.js";
export { type CheckedKernel, checkKernel } from "./measure/check.js";
export { layerTimes } from "./measure/layer-times.js";
export type { Architecture, NcvsdConfig, NetworkConfig } from "./networks/edm2/arguments.js";
export { openDenoiserVjp } from "./networks/edm2/derivative.js";
export {
  type DenoiseInput,
  type Evaluation,
  type GenerateInput,
  type LoadModelOptions,
  loadModel,
  type Model,
} from "./networks/edm2/model.js";
export { type DiscoImageModel, loadDiscoImages } from "./networks/edm2/timeless.js";
export type { DiscoConfig } from "./networks/energy/config.js";
export type { EnergyHvp, HvpBuffers } from "./networks/energy/derivatives.js";
export {
  type DiscoEvaluation,
  type DiscoGradients,
  type DiscoInput,
  type DiscoLossInput,
  type DiscoModel,
  type DiscoOptions,
  type DiscoRows,
  loadDisco,
} from "./networks/energy/model.js";
export type { EnergySession, EnergySessionOptions } from "./networks/energy/session.js";
export {
  type FeatureInput,
  type FeatureNetwork,
  type LoadFeaturesOptions,
  loadFeatures,
} from "./networks/features/load.js";
export type {
  Denoiser,
  DenoiserSession,
  DenoiserVjpSession,
  GenerativeDenoiser,
  GenerativeSession,
  ImageShape,
  Labels,
} from "./networks/session.js";
export { type DecodeOptions, Vae } from "./networks/vae/vae.js";
export type { AveragingOptions } from "./operators/averaging.js";
export type { GaussianBlurOptions, MotionBlurOptions } from "./operators/blur.js";
export { gaussianKernel, motionKernel } from "./operators/blur-kernels.js";
export type { CodedPhaseOptions } from "./operators/coded-phase.js";
export type { ColorizationOptions, DemosaicingOptions } from "./operators/colours.js";
export type { DecimatedBlurOptions } from "./operators/decimated-blur.js";
export type { GpuOperator } from "./operators/gpu-operator.js";
export type { HadamardOperator, HadamardOptions } from "./operators/hadamard.js";
export type { HdrOptions } from "./operators/hdr.js";
export type { InpaintingOptions } from "./operators/inpainting.js";
export type { JpegOptions } from "./operators/jpeg.js";
export type { LinearOptions } from "./operators/linear.js";
export type { MatrixOptions } from "./operators/matrix.js";
export { type LineMaskOptions, lineMask, type MriOptions } from "./operators/mri.js";
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
} from "./operators/operator.js";
export { operators } from "./operators/operators.js";
export type { PhaseRetrievalOptions } from "./operators/phase-retrieval.js";
export type { LawOperator } from "./operators/pointwise.js";
export type { PoissonOptions } from "./operators/poisson.js";
export type { FourierPtychographyOptions, PtychographyOptions } from "./operators/ptychography.js";
export type { QuantizationOptions } from "./operators/quantization.js";
export type { SeparableOptions } from "./operators/separable.js";
export type { SuperResolutionOptions } from "./operators/super-resolution.js";
export type { TaskPreset } from "./operators/tasks/task.js";
export { presets, type TaskName } from "./operators/tasks.js";
export type { TomographyOptions } from "./operators/tomography.js";
export type { VaryingBlurOptions } from "./operators/varying-blur.js";
export { type DatasetPosterior, type DatasetPrior, datasetPrior } from "./priors/dataset-prior.js";
export { type ExactModel, exactModel } from "./priors/exact-model.js";
export {
  type ConditionedMixture,
  type GaussianMixture,
  gaussianMixture,
  type MixtureDraws,
  type MixtureOptions,
} from "./priors/mixture.js";
export type { NoiseCallback } from "./random/noise.js";
export { type ImageOrigin, imageText, streamSeed } from "./runs/origin.js";
export { type HeunOptions, sampleHeun } from "./sample/heun.js";
export type { KnownImage } from "./sample/known.js";
export { type LangevinInput, type LangevinOptions, sampleLangevin } from "./sample/langevin.js";
export {
  type MultiStepOptions,
  type SampleOptions,
  type SampleResult,
  type StepEvent,
  sampleMultiStep,
} from "./sample/multi-step.js";
export { type Density, type DensitySession, mixtureDensity } from "./sample/particles/density.js";
export {
  type DiffusionDraws,
  type DiffusionMethod,
  type DiffusionOptions,
  type DiffusionResult,
  type DiffusionStep,
  guidance,
  replacement,
  sampleDiffusion,
  twisted,
} from "./sample/particles/diffusion.js";
export type { Box, Given } from "./sample/particles/given.js";
export {
  type ChainResult,
  type HmcOptions,
  type HmcTransitionInput,
  type HmcTransitionResult,
  hmcTransition,
  sampleHmc,
} from "./sample/particles/hmc.js";
export { type SmcDraws, type SmcOptions, type SmcOrder, type SmcResult, sampleSmc } from "./sample/particles/smc.js";
export { sampleUla, type UlaChainOptions, type UlaChainResult } from "./sample/particles/ula.js";
export type { PosteriorSampler, SettingFlag } from "./sample/posterior/sampler.js";
export { type PosteriorSamplerName, posteriorSamplers as samplers } from "./sample/posterior/samplers.js";
export { multiStepLevel, noiseLevels, type ScheduleOptions } from "./sample/schedule.js";
export {
  type PnpStepEvent,
  type SolveInverseOptions,
  type SolveInverseResult,
  solveInverse,
} from "./sample/solve-inverse.js";
export type { TrainingData } from "./train/data.js";
export { type DiscoStepInput, type DiscoTraining, openDisco } from "./train/disco.js";
export type { DiscoImageOptions } from "./train/disco-images.js";
export type { DiscoRate, DiscoSettings, DiscoTrainingOptions } from "./train/disco-settings.js";
export { type Distillation, openDistillation } from "./train/distillation.js";
export type {
  DistillationOptions,
  DistillationResult,
  DistillationRound,
  DistillationStep,
  DistilledNetwork,
} from "./train/distillation-settings.js";
export { type EmaSnapshot, reconstructPostHocEma } from "./train/post-hoc.js";
export type { LearningRate } from "./train/schedule.js";
export type { Snapshot } from "./train/snapshot.js";
export type { ConfigInput, NetworkInput } from "./train/source.js";
export {
  openTraining,
  type StepInput,
  type StepResult,
  type Training,
  type TrainingOptions,
  type TrainingRound,
} from "./train/training.js";
export type { WorkerPart } from "./train/updates.js";
