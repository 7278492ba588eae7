import { bad } from "../errors.js";
import type { Gpu } from "../gpu/device.js";

/** Storage type of what a training's rounds compute. */
export type TrainingPrecision = "f32" | "f16";

/** @param call for messages: "openTraining"  @param asked absent: f32, on a device that was opened for it */
export function trainingPrecision(call: string, gpu: Gpu, asked: TrainingPrecision | undefined): TrainingPrecision {
  if (asked === undefined && gpu.precision !== "f32")
    throw bad(
      `${call}: the device must be opened with precision f32, got ${gpu.precision}; or say the training's own: precision: "f16".`,
    );
  const precision = asked ?? "f32";
  if (precision !== "f32" && precision !== "f16") throw bad(`${call}: precision must be f32 or f16, got ${precision}.`);
  if (precision === "f16" && !gpu.device.features.has("shader-f16"))
    throw bad(`${call}: precision f16 needs an adapter with shader-f16, which ${gpu.info.name} has not: take f32.`);
  return precision;
}
