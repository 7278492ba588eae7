import { bad } from "../../errors.js";
import type { Gpu } from "../../gpu/device.js";
import type { ImageShape } from "../../networks/session.js";
import { measurementAndHarmonic } from "../baselines.js";
import { operators } from "../operators.js";
import type { FileValues, Made, OptionsOf, Shown, Task, TaskFlag, TaskPreset } from "./task.js";

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

/** PnP-GD for tasks that neither the paper nor the reference has: EDM's spacing, and beta twice the noise's variance. */
export const OWN_PRESET: TaskPreset = { ...ANNEALING, rho: 7, beta: 5e-3, emaSigma: ALWAYS, emaDecay: 0.6 };

/** Of operators of which only a gradient is known. */
export const PHASE_PRESET: TaskPreset = { ...ANNEALING, beta: 1e-3, emaSigma: 0.2, emaDecay: 0.6, ula: ULA };

/** Options of likelihood steps by conjugate gradients. */
export const CG_FLAGS = {
  cgTolerance: {
    option: "--cg-tolerance <x>",
    help: "likelihood steps by conjugate gradients: how exact, in posterior standard deviations (default: 0.01)",
    value: { number: { above: 0, max: 1 } },
  },
  cgIterations: {
    option: "--cg-iterations <n>",
    help: "most steps of them (default: 100)",
    value: { integer: { min: 1, max: 100000 } },
  },
} as const satisfies Record<string, TaskFlag>;

/** The same for an operator, and for records. */
export function conjugate({ cgTolerance, cgIterations }: OptionsOf<typeof CG_FLAGS>) {
  const solver = {
    ...(cgTolerance === undefined ? {} : { tolerance: cgTolerance }),
    ...(cgIterations === undefined ? {} : { maxIterations: cgIterations }),
  };
  const said = Object.keys(solver).length > 0;
  return {
    solver: said ? { solver } : {},
    record: {
      ...(cgTolerance === undefined ? {} : { cgTolerance }),
      ...(cgIterations === undefined ? {} : { cgIterations }),
    },
  };
}

/** Values as a picture: the least is black, the largest white. */
export function scaled(values: Float32Array, shape: readonly number[]): Shown {
  const [low, high] = values.reduce(([a, b], v) => [Math.min(a, v), Math.max(b, v)], [Infinity, -Infinity]);
  return { values: values.map((v) => (2 * (v - low)) / Math.max(1e-12, high - low) - 1), shape };
}

/** The first pictures of a list, [L, h, w], side by side: at most four rows of four. */
export function tiled(values: Float32Array, [count, h, w]: readonly [number, number, number]): Shown {
  const columns = Math.min(4, Math.ceil(Math.sqrt(count)));
  const rows = Math.min(4, Math.ceil(count / columns));
  const out = new Float32Array(rows * h * columns * w);
  for (let l = 0; l < Math.min(count, rows * columns); l++)
    for (let i = 0; i < h; i++)
      for (let j = 0; j < w; j++)
        out[(Math.floor(l / columns) * h + i) * columns * w + (l % columns) * w + j] = values[(l * h + i) * w + j]!;
  return { values: out, shape: [1, rows * h, columns * w], logarithmic: true };
}

/** An option's file, of a certain shape. @param what "--weights" */
export function fitting(what: string, file: FileValues, wanted: readonly number[]): Float32Array {
  if (file.values.length !== wanted.reduce((a, b) => a * b, 1))
    throw bad(`${what} ${file.name} is [${file.shape.join(", ")}], but must be [${wanted.join(", ")}]`);
  return file.values;
}

/** @throws NcvsdError for a factor that does not divide the images */
export function checkFactor(factor: number, [, h, w]: ImageShape): void {
  if (h % factor !== 0 || w % factor !== 0)
    throw bad(`--factor ${factor} does not divide the images of ${w}x${h}: take another factor`);
}
