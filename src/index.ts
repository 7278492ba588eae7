export { type ErrorCode, NcvsdError } from "./errors.js";
export type { Precision } from "./gpu/contract.js";
export { type AdapterInfo, type Gpu, type OpenGpuOptions, openGpu } from "./gpu/device.js";
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
export { multiStepLevel, noiseLevels, type ScheduleOptions } from "./sample/schedule.js";
