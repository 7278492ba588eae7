import { bad } from "../../errors.js";
import type { Gpu } from "../../gpu/device.js";
import type { ImageShape } from "../../networks/session.js";
import { measurementAndHarmonic } from "../baselines.js";
import { operators } from "../operators.js";
import type { FileValues, Made, Task, TaskFlag, TaskPreset } from "./task.js";

export const ANNEALING = { steps: 50, sigmaMax: 80, sigmaMin: 0.002, rho: 2, sigmaY: 0.05 };
export const ULA = { c1: 0.1, c2: 0.1, steps: 100 };
export const ALWAYS = Number.POSITIVE_INFINITY;
export const SEED = { integer: { min: 0, max: 2 ** 32 - 1 } };

/** Side of the images that the paper's settings are made for. */
export const PAPER_SIDE = 256;
export const KERNEL_SIZE = 61;

/**
 * What the authors of other samplers chose for such a task, at noise 0.05 and 256 pixels: `lambda` of DiffPIR (a quarter of theirs),
 * `strength` of DPS, the Langevin step of DAPS and its HMC (gradients, step, decay, momentum).
 */
export function authors(chosen: {
  readonly lambda?: number;
  readonly strength?: number;
  readonly step: number;
  readonly hmc: readonly [steps: number, step: number, decay: number, momentum: number];
}): NonNullable<Task["samplers"]> {
  const { lambda, strength, step } = chosen;
  const [steps, hmcStep, decay, momentum] = chosen.hmc;
  return {
    ...(lambda === undefined ? {} : { diffpir: { lambda } }),
    ...(strength === undefined ? {} : { dps: { strength } }),
    daps: { mcmc: { step } },
    "daps hmc": { mcmc: { steps, step: hmcStep, decay, momentum } },
  };
}

/** What inpainting tasks share. */
export const INPAINTING = { baselines: measurementAndHarmonic, masked: true };
export const BOX_PRESET: TaskPreset = { ...ANNEALING, beta: 1e-4, emaSigma: ALWAYS, emaDecay: 0.2 };
export const MASK = {
  option: "--mask <file>",
  help: "inpainting: white (1) is known, black (0) is missing",
  value: { file: "mask" },
  excludes: ["fraction", "maskSeed"],
} as const satisfies TaskFlag;

/** What deblurring tasks share. */
export const KERNEL_SIZE_FLAG = {
  option: "--kernel-size <n>",
  help: "deblurring: pixels on a side (default: 61, scaled for small images)",
  value: { integer: { min: 1, max: 4096 } },
} as const satisfies TaskFlag;
export const CENTRE_FLAG = {
  option: "--kernel-centre <where>",
  help:
    "deblurring: kernel: its middle entry stays in place (default with --measurement); " +
    "reference: as the reference's operator, which moves the picture by a pixel (default of simulated measurements)",
  value: { choice: ["kernel", "reference"] },
} as const satisfies TaskFlag;

/** The reference's centre is not noted, so that records and results that are there stay what they are. */
export const centred = (centre: "kernel" | "reference" | undefined) => (centre === "kernel" ? { centre } : {});

export function maskedBy(gpu: Gpu, shape: ImageShape, { values, name, sha256 }: FileValues): Made {
  const operator = operators.inpainting(gpu, { shape, mask: values });
  return { operator, description: `mask ${name}`, options: { mask: sha256 } };
}

/**
 * Size and scale of the paper's 61x61 kernel for images of this shape. On smaller images it is scaled with the square root of the
 * side to the nearest odd size (in proportion it would blur nothing).
 */
export function fitKernel([, h, w]: ImageShape): { size: number; scale: number } {
  const side = Math.min(h, w);
  if (side >= KERNEL_SIZE) return { size: KERNEL_SIZE, scale: 1 };
  const scale = Math.sqrt(side / PAPER_SIDE);
  const size = 2 * Math.floor((KERNEL_SIZE * scale) / 2) + 1;
  return { size: Math.min(size, side % 2 ? side : side - 1), scale };
}

export function checkKernelSize(size: number, [, h, w]: ImageShape): number {
  const side = Math.min(h, w);
  if (size > side) throw bad(`--kernel-size ${size} is larger than the images of side ${side}: take ${side} or less`);
  return size;
}

export function scaleNote(what: string, scaled: string, [, h, w]: ImageShape): string {
  return `The paper's settings are for ${PAPER_SIDE}x${PAPER_SIDE}: at ${w}x${h} ${what} became ${scaled}.`;
}
