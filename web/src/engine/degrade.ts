import facts from "virtual:facts";
import { type Gpu, type GpuOperator, operators, type TaskPreset } from "ncvsd-gpu";
import { boxMask } from "./masks.js";
import { type Degradation, SIDE } from "./protocol.js";
import { KERNEL_SIZE, MIDDLE } from "./settings.js";

// By names of their own, so that a bundler leaves the other operators out.
const inpainting = operators.inpainting;
const gaussianBlur = operators.gaussianBlur;
const motionBlur = operators.motionBlur;
const superResolution = operators.superResolution;
const phaseRetrieval = operators.phaseRetrieval;

const shape = [1, SIDE, SIDE] as const;

export interface Degrading {
  readonly operator: GpuOperator;
  /** The command line's name of the task. */
  readonly task: string;
  readonly preset: TaskPreset;
  /** Zeros where nothing is measured; absent: everything is. */
  readonly mask?: Uint8Array;
  /** Everything that decides the operator, as the command line notes it. */
  readonly options: Readonly<Record<string, number | string | readonly number[]>>;
  /** Side of the measurement as a picture. */
  readonly side: number;
}

const hex = (bytes: ArrayBuffer) => Array.from(new Uint8Array(bytes), (b) => b.toString(16).padStart(2, "0")).join("");

async function made(gpu: Gpu, degradation: Degradation): Promise<Omit<Degrading, "preset">> {
  switch (degradation.task) {
    case "mask":
      return masked(gpu, degradation.mask);
    case "box": {
      const { box } = degradation;
      const mask = boxMask(box);
      if (box.join() !== MIDDLE) return masked(gpu, mask);
      const operator = inpainting(gpu, { shape, box });
      return { operator, task: "box_inpainting", mask, options: { box }, side: SIDE };
    }
    case "blur": {
      const options = { kernelSize: KERNEL_SIZE, std: degradation.std };
      const operator = gaussianBlur(gpu, { shape, ...options });
      return { operator, task: "gaussian_deblur_circ", options, side: SIDE };
    }
    case "motion": {
      const { intensity, path } = degradation;
      const operator = motionBlur(gpu, { shape, kernelSize: KERNEL_SIZE, intensity, seed: path });
      const options = { kernelSize: KERNEL_SIZE, intensity, kernelSeed: path };
      return { operator, task: "motion_deblur_circ", options, side: SIDE };
    }
    case "super": {
      const { factor } = degradation;
      const operator = superResolution(gpu, { shape, factor });
      return { operator, task: "super_resolution", options: { factor }, side: SIDE / factor };
    }
    case "phase": {
      const pad = Math.round(4 * degradation.oversample);
      const operator = phaseRetrieval(gpu, { shape, pad });
      return { operator, task: "phase_retrieval", options: { pad }, side: SIDE + 2 * pad };
    }
  }
}

async function masked(gpu: Gpu, mask: Uint8Array): Promise<Omit<Degrading, "preset">> {
  const operator = inpainting(gpu, { shape, mask });
  const values = Float32Array.from(mask);
  const sha256 = hex(await crypto.subtle.digest("SHA-256", values));
  return { operator, task: "box_inpainting", mask, options: { mask: sha256 }, side: SIDE };
}

/** The operator of a degradation on a device, with the settings that the command line takes for it. */
export async function degrade(gpu: Gpu, degradation: Degradation): Promise<Degrading> {
  const parts = await made(gpu, degradation);
  return { ...parts, preset: facts.tasks[parts.task]! };
}
