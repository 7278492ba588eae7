/// <reference lib="esnext.disposable" preserve="true" />
/** Networks and their samplers, without inverse problems and training: `ncvsd-gpu/sample`. */
export { type ErrorCode, NcvsdError } from "../errors.js";
export type { Precision } from "../gpu/contract.js";
export { type AdapterInfo, type Gpu, type OpenGpuOptions, openGpu } from "../gpu/device.js";
export {
  encodePng,
  type FromImageOptions,
  fromImage,
  type Pixels,
  toImageData,
} from "../image/pictures.js";
export { type PictureShape, psnr, ssim } from "../image/quality.js";
export type { Architecture, NcvsdConfig, NetworkConfig } from "../networks/edm2/arguments.js";
export {
  type DenoiseInput,
  type Evaluation,
  type GenerateInput,
  type LoadModelOptions,
  loadModel,
  type Model,
} from "../networks/edm2/model.js";
export { type DiscoImageModel, loadDiscoImages } from "../networks/edm2/timeless.js";
export type {
  Denoiser,
  DenoiserSession,
  DenoiserVjpSession,
  GenerativeDenoiser,
  GenerativeSession,
  ImageShape,
  Labels,
} from "../networks/session.js";
export { type DecodeOptions, Vae } from "../networks/vae/vae.js";
export type { NoiseCallback } from "../random/noise.js";
export { type HeunOptions, sampleHeun } from "../sample/heun.js";
export type { KnownImage } from "../sample/known.js";
export {
  type MultiStepOptions,
  type SampleOptions,
  type SampleResult,
  type StepEvent,
  sampleMultiStep,
} from "../sample/multi-step.js";
export { multiStepLevel, noiseLevels, type ScheduleOptions } from "../sample/schedule.js";
