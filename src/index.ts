export { type ErrorCode, NcvsdError } from "./errors.js";
export type { Precision } from "./gpu/contract.js";
export { type AdapterInfo, type Gpu, type OpenGpuOptions, openGpu } from "./gpu/device.js";
export { gaussianKernel, motionKernel } from "./inverse/blur-kernels.js";
export type { GpuOperator } from "./inverse/gpu-operator.js";
export { operators } from "./inverse/index.js";
export type {
  EnergyInput,
  Operator,
  OperatorSession,
  OperatorStage,
  ProximalInput,
  ProximalStage,
} from "./inverse/operator.js";
export { presets, type TaskName, type TaskPreset } from "./inverse/presets.js";
export { type LangevinInput, sampleLangevin, type UlaOptions } from "./inverse/ula.js";
export type { Architecture, NcvsdConfig, NetworkConfig } from "./model/config.js";
export {
  type DenoiseInput,
  type Evaluation,
  type GenerateInput,
  type LoadModelOptions,
  loadModel,
  type Model,
} from "./model/model.js";
export type { NoiseCallback } from "./model/noise.js";
export type {
  Denoiser,
  DenoiserSession,
  GenerativeDenoiser,
  GenerativeSession,
  ImageShape,
  Labels,
} from "./model/session.js";
export { type HeunOptions, sampleHeun } from "./sample/heun.js";
export {
  type MultiStepOptions,
  type SampleOptions,
  type SampleResult,
  type StepEvent,
  sampleMultiStep,
} from "./sample/multi-step.js";
export {
  type PnpStepEvent,
  type SolveInverseOptions,
  type SolveInverseResult,
  solveInverse,
} from "./sample/pnp-gd.js";
export { multiStepLevel, noiseLevels, type ScheduleOptions } from "./sample/schedule.js";
export { type DecodeOptions, Vae } from "./vae/vae.js";
