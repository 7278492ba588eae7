/// <reference lib="esnext.disposable" preserve="true" />
/** Training of teachers, and of generators distilled from them: `ncvsd-gpu/train`. */
export { type ErrorCode, NcvsdError } from "../errors.js";
export type { TrainingData } from "../train/data.js";
export type { DiscoImageOptions } from "../train/disco-images.js";
export { type Distillation, openDistillation } from "../train/distillation.js";
export type {
  DistillationOptions,
  DistillationResult,
  DistillationRound,
  DistillationStep,
  DistilledNetwork,
} from "../train/distillation-settings.js";
export { type EmaSnapshot, reconstructPostHocEma } from "../train/post-hoc.js";
export type { Snapshot } from "../train/snapshot.js";
export type { ConfigInput, NetworkInput } from "../train/source.js";
export {
  openTraining,
  type StepInput,
  type StepResult,
  type Training,
  type TrainingOptions,
  type TrainingRound,
} from "../train/training.js";
