import { bad } from "../errors.js";
import type { Gpu } from "../gpu/device.js";
import type { ImageShape } from "../networks/session.js";
import {
  type Baselines,
  bicubic,
  errorReduction,
  type Measured,
  measurementAndHarmonic,
  measurementAndWiener,
} from "./baselines.js";
import { volume } from "./check.js";
import type { Operator, UlaOptions } from "./operator.js";
import { operators } from "./operators.js";

/** Settings of PnP-GD for one task. */
export interface TaskPreset {
  readonly steps: number;
  readonly sigmaMax: number;
  readonly sigmaMin: number;
  /** Of the annealing schedule. */
  readonly rho: number;
  readonly beta: number;
  readonly emaSigma: number;
  readonly emaDecay: number;
  /** Only for the tasks without a closed form. */
  readonly ula?: Required<UlaOptions>;
  /** Measurement noise in the network's value range, in the paper's experiments. */
  readonly sigmaY: number;
}

/** Values read from a file that an option names. */
export interface FileValues {
  readonly values: Float32Array;
  /** For descriptions. */
  readonly name: string;
  readonly sha256: string;
}

/** What may be said about a task's operator; each task takes the options that its `flags` name. */
export interface TaskOptions {
  /** C*H*W zeros (missing) and ones. */
  readonly mask?: FileValues;
  readonly fraction?: number;
  readonly maskSeed?: number;
  readonly kernelSize?: number;
  readonly std?: number;
  readonly intensity?: number;
  readonly kernelSeed?: number;
  /** A square kernel of sum 1. */
  readonly kernel?: FileValues;
  /** Where a blur kernel's centre lies: see `operators.motionBlur`. */
  readonly kernelCentre?: "kernel" | "reference";
  readonly factor?: number;
  readonly oversample?: number;
}

/** An option of a task as the command line knows it, under its name in `TaskOptions`. */
export interface TaskFlag {
  /** "--fraction <x>" */
  readonly option: string;
  readonly help: string;
  /** A number within a range, one of a few, or a file. */
  readonly value:
    | { readonly number: { readonly min?: number; readonly max?: number; readonly above?: number } }
    | { readonly integer: { readonly min?: number; readonly max?: number } }
    | { readonly choice: readonly (number | string)[] }
    | { readonly file: "mask" | "kernel" };
  /** Options that make no sense beside it, for it says the same. */
  readonly excludes?: readonly (keyof TaskOptions)[];
}

/** A task ready to be solved. */
export interface RestoreTask {
  /** Of the task, or of the user's file. */
  readonly name: string;
  readonly operator: Operator;
  readonly settings: TaskPreset;
  /** One line for sheets and tables. */
  readonly description: string;
  /** Departures from the paper's settings, each a sentence. */
  readonly notes: readonly string[];
  /** Entries of one measurement that count: the known ones of an inpainting. */
  readonly observed: number;
  /** C*H*W zeros and ones, for inpainting. */
  readonly mask?: Float32Array;
  /** Measurements are amplitudes, which do not tell where the picture lies, and are shown logarithmically. */
  readonly amplitudes: boolean;
  /** What simple methods make of the same measurements, by their names. */
  baselines(measured: Measured): Promise<Baselines>;
  /** Everything that decides the operator, for records. */
  readonly options: Readonly<Record<string, number | string | readonly number[]>>;
}

type Made = Pick<RestoreTask, "operator" | "description" | "options"> & { readonly notes?: readonly string[] };

/** One line of the table: everything that the project knows of a task. */
interface Task {
  /** Table 4 of the paper (NCVSD, appendix B.3), or the reference's preset. */
  readonly preset: TaskPreset;
  /** What `restore` takes instead. */
  readonly settings?: TaskPreset;
  readonly flags: Readonly<Partial<Record<keyof TaskOptions, TaskFlag>>>;
  make(gpu: Gpu, shape: ImageShape, options: TaskOptions): Made;
  readonly baselines: (measured: Measured) => Promise<Baselines>;
  readonly masked?: boolean;
  readonly amplitudes?: boolean;
}

const ANNEALING = { steps: 50, sigmaMax: 80, sigmaMin: 0.002, rho: 2, sigmaY: 0.05 };
const ULA = { c1: 0.1, c2: 0.1, steps: 100 };
const ALWAYS = Number.POSITIVE_INFINITY;
const SEED = { integer: { min: 0, max: 2 ** 32 - 1 } };

/** Side of the images that the paper's settings are made for. */
const PAPER_SIDE = 256;
const KERNEL_SIZE = 61;
const GAUSSIAN_STD = 3;

const MASK: TaskFlag = {
  option: "--mask <file>",
  help: "inpainting: white (1) is known, black (0) is missing",
  value: { file: "mask" },
  excludes: ["fraction", "maskSeed"],
};
const KERNEL_SIZE_FLAG: TaskFlag = {
  option: "--kernel-size <n>",
  help: "deblurring: pixels on a side (default: 61, scaled for small images)",
  value: { integer: { min: 1, max: 4096 } },
};
const CENTRE_FLAG: TaskFlag = {
  option: "--kernel-centre <where>",
  help:
    "deblurring: kernel: its middle entry stays in place (default with --measurement); " +
    "reference: as the reference's operator, which moves the picture by a pixel (default of simulated measurements)",
  value: { choice: ["kernel", "reference"] },
};
/** The reference's centre is not noted, so that records and results that are there stay what they are. */
const centred = (centre: TaskOptions["kernelCentre"]) => (centre === "kernel" ? { centre } : {});
const INPAINTING = { baselines: measurementAndHarmonic, masked: true };
const BOX_PRESET: TaskPreset = { ...ANNEALING, beta: 1e-4, emaSigma: ALWAYS, emaDecay: 0.2 };

/**
 * The tasks of `restore`. The paper's settings are for 256x256; where they do not fit they are scaled:
 * - box: always the middle half of each side (rows and columns 64 to 191 of 256);
 * - a 61x61 kernel on smaller images than that: scaled with the square root of the side to the nearest odd size (in proportion
 *   it would blur nothing), and a Gaussian's standard deviation alike: at 32x32 a 21x21 kernel of std 1.06;
 * - phase retrieval: oversample * side / 8 pixels of zeros on every side (the paper's 128 at 256 and oversample 4).
 * Two presets are not in the paper's table: the reference's for motion deblurring has beta 3e-3 (the table says 4e-3), and
 * random inpainting takes the settings of the box.
 */
const TABLE = {
  box_inpainting: {
    ...INPAINTING,
    preset: BOX_PRESET,
    flags: { mask: MASK },
    make(gpu, shape, { mask }) {
      if (mask) return maskedBy(gpu, shape, mask);
      const [, h, w] = shape;
      const box = [Math.floor(h / 4), h - Math.floor(h / 4), Math.floor(w / 4), w - Math.floor(w / 4)] as const;
      const description = `rows ${box[0]}-${box[1] - 1} and columns ${box[2]}-${box[3] - 1} missing`;
      return { operator: operators.inpainting(gpu, { shape, box }), description, options: { box } };
    },
  },
  random_inpainting: {
    ...INPAINTING,
    preset: BOX_PRESET,
    // With the box's settings the scattered pixels hardly enter (its schedule has six levels below 1) and their noise stays:
    // more low levels and a beta near twice the noise's variance serve better.
    settings: { ...BOX_PRESET, rho: 7, beta: 2e-3 },
    flags: {
      mask: MASK,
      fraction: {
        option: "--fraction <x>",
        help: "random_inpainting: share of missing pixels (default: 0.7)",
        value: { number: { min: 0, max: 1 } },
      },
      maskSeed: { option: "--mask-seed <n>", help: "random_inpainting: which pixels (default: 0)", value: SEED },
    },
    make(gpu, shape, { mask, fraction = 0.7, maskSeed = 0 }) {
      if (mask) return maskedBy(gpu, shape, mask);
      return {
        operator: operators.inpainting(gpu, { shape, fraction, seed: maskSeed }),
        description: `${(fraction * 100).toFixed(0)}% of the pixels missing`,
        options: { fraction, maskSeed },
      };
    },
  },
  gaussian_deblur_circ: {
    preset: { ...ANNEALING, beta: 2e-3, emaSigma: ALWAYS, emaDecay: 0.6 },
    baselines: measurementAndWiener,
    flags: {
      kernelSize: KERNEL_SIZE_FLAG,
      std: {
        option: "--std <x>",
        help: "gaussian_deblur_circ: in pixels (default: 3, scaled for small images)",
        value: { number: { above: 0 } },
      },
      kernelCentre: CENTRE_FLAG,
    },
    make(gpu, shape, options) {
      const centre = centred(options.kernelCentre);
      const fitted = fitKernel(shape);
      const kernelSize = checkKernelSize(options.kernelSize ?? fitted.size, shape);
      const std = options.std ?? GAUSSIAN_STD * fitted.scale;
      const scaled = options.kernelSize === undefined && options.std === undefined && fitted.scale !== 1;
      const became = `${kernelSize}x${kernelSize} and std ${std.toFixed(2)}`;
      return {
        operator: operators.gaussianBlur(gpu, { shape, kernelSize, std, ...centre }),
        description: `Gaussian blur of std ${Number(std.toPrecision(3))}, kernel ${kernelSize}x${kernelSize}, circular`,
        notes: scaled
          ? [scaleNote(`the kernel of ${KERNEL_SIZE}x${KERNEL_SIZE} and std ${GAUSSIAN_STD}`, became, shape)]
          : [],
        options: { kernelSize, std, ...centre },
      };
    },
  },
  motion_deblur_circ: {
    preset: { ...ANNEALING, beta: 3e-3, emaSigma: ALWAYS, emaDecay: 0.6 },
    baselines: measurementAndWiener,
    flags: {
      kernelSize: KERNEL_SIZE_FLAG,
      intensity: {
        option: "--intensity <x>",
        help: "motion_deblur_circ: how much the camera shakes, 0 to 1 (default: 0.5)",
        value: { number: { min: 0, max: 1 } },
      },
      kernelSeed: { option: "--kernel-seed <n>", help: "motion_deblur_circ: which path (default: 0)", value: SEED },
      kernel: {
        option: "--kernel <file>",
        help: "motion_deblur_circ: a kernel of your own, PNG or .npy; it is normalised to sum 1",
        value: { file: "kernel" },
        excludes: ["kernelSize", "intensity", "kernelSeed"],
      },
      kernelCentre: CENTRE_FLAG,
    },
    make(gpu, shape, options) {
      const centre = centred(options.kernelCentre);
      if (options.kernel) {
        const { values: kernel, name, sha256 } = options.kernel;
        const kernelSize = Math.sqrt(kernel.length);
        return {
          operator: operators.motionBlur(gpu, { shape, kernel, kernelSize, ...centre }),
          description: `blur by the kernel ${name} (${kernelSize}x${kernelSize}), circular`,
          options: { kernel: sha256, ...centre },
        };
      }
      const fitted = fitKernel(shape);
      const kernelSize = checkKernelSize(options.kernelSize ?? fitted.size, shape);
      const { intensity = 0.5, kernelSeed = 0 } = options;
      const scaled = options.kernelSize === undefined && fitted.scale !== 1;
      const became = `${kernelSize}x${kernelSize}`;
      return {
        operator: operators.motionBlur(gpu, { shape, kernelSize, intensity, seed: kernelSeed, ...centre }),
        description: `motion blur of intensity ${intensity}, kernel ${kernelSize}x${kernelSize}, circular`,
        notes: scaled ? [scaleNote(`the kernel of ${KERNEL_SIZE}x${KERNEL_SIZE}`, became, shape)] : [],
        options: { kernelSize, intensity, kernelSeed, ...centre },
      };
    },
  },
  super_resolution: {
    preset: { ...ANNEALING, beta: 1e-3, emaSigma: ALWAYS, emaDecay: 0.6, ula: ULA },
    baselines: bicubic,
    flags: {
      factor: {
        option: "--factor <n>",
        help: "super_resolution: 2, 4, 8 or 16 (default: 4)",
        value: { choice: [2, 4, 8, 16] },
      },
    },
    make(gpu, shape, { factor = 4 }) {
      const [, h, w] = shape;
      if (h % factor !== 0 || w % factor !== 0)
        throw bad(`--factor ${factor} does not divide the images of ${w}x${h}: take another factor`);
      return {
        operator: operators.superResolution(gpu, { shape, factor }),
        description: `bicubic ${factor}x downsampling, ${w}x${h} to ${w / factor}x${h / factor}`,
        options: { factor },
      };
    },
  },
  phase_retrieval: {
    preset: { ...ANNEALING, beta: 1e-3, emaSigma: 0.2, emaDecay: 0.6, ula: ULA },
    baselines: errorReduction,
    amplitudes: true,
    flags: {
      oversample: {
        option: "--oversample <x>",
        help: "phase_retrieval: zeros around the image, in eighths of its side (default: 4)",
        value: { number: { above: 0, max: 64 } },
      },
    },
    make(gpu, shape, { oversample = 4 }) {
      const [c, h, w] = shape;
      const side = Math.min(h, w);
      const pad = Math.round((oversample * 32 * side) / PAPER_SIDE);
      if (pad < 1)
        throw bad(`--oversample ${oversample} leaves no zeros around images of ${w}x${h}: take a larger one`);
      return {
        operator: operators.phaseRetrieval(gpu, { shape, pad }),
        description: `Fourier amplitudes of ${c === 1 ? "the image" : "each channel"} in ${w + 2 * pad}x${h + 2 * pad}`,
        notes: side === PAPER_SIDE ? [] : [scaleNote(`${oversample * 32} zeros on every side`, `${pad}`, shape)],
        options: { pad },
      };
    },
  },
} as const satisfies Record<string, Task>;

/** Names of the reference's tasks. */
export type TaskName = keyof typeof TABLE;

/** The tasks by name. */
export const tasks: Readonly<Record<TaskName, Task>> = TABLE;

/** Settings of PnP-GD by task, as the paper and the reference have them. */
export const presets = Object.fromEntries(
  Object.entries(tasks).map(([name, { preset }]) => [name, preset]),
) as Readonly<Record<TaskName, TaskPreset>>;

/** Of an operator that is in no table: the paper's schedule and averaging; beta is twice the variance of the noise. */
export const OWN_SETTINGS: TaskPreset = {
  ...presets.gaussian_deblur_circ,
  beta: 2 * presets.gaussian_deblur_circ.sigmaY ** 2,
};

/** Makes a task's operator for images of a shape. */
export async function makeTask(
  gpu: Gpu,
  name: TaskName,
  shape: ImageShape,
  options: TaskOptions,
): Promise<RestoreTask> {
  const task = tasks[name];
  const made = { notes: [], ...task.make(gpu, shape, options) };
  const common = {
    name,
    settings: task.settings ?? task.preset,
    amplitudes: task.amplitudes ?? false,
    baselines: task.baselines,
  };
  if (!task.masked) return { ...made, ...common, observed: volume(made.operator.measurementShape) };
  const mask = await made.operator.forward(new Float32Array(volume(shape)).fill(1));
  const observed = mask.reduce((a, b) => a + b, 0);
  if (observed === 0) throw bad("no pixel is known: leave some");
  return { ...made, ...common, observed, mask, baselines: (measured) => task.baselines({ ...measured, mask }) };
}

function maskedBy(gpu: Gpu, shape: ImageShape, { values, name, sha256 }: FileValues): Made {
  const operator = operators.inpainting(gpu, { shape, mask: values });
  return { operator, description: `mask ${name}`, options: { mask: sha256 } };
}

/** Size and scale of the paper's kernel for images of this shape. */
function fitKernel([, h, w]: ImageShape): { size: number; scale: number } {
  const side = Math.min(h, w);
  if (side >= KERNEL_SIZE) return { size: KERNEL_SIZE, scale: 1 };
  const scale = Math.sqrt(side / PAPER_SIDE);
  const size = 2 * Math.floor((KERNEL_SIZE * scale) / 2) + 1;
  return { size: Math.min(size, side % 2 ? side : side - 1), scale };
}

function checkKernelSize(size: number, [, h, w]: ImageShape): number {
  const side = Math.min(h, w);
  if (size > side) throw bad(`--kernel-size ${size} is larger than the images of side ${side}: take ${side} or less`);
  return size;
}

function scaleNote(what: string, scaled: string, [, h, w]: ImageShape): string {
  return `The paper's settings are for ${PAPER_SIDE}x${PAPER_SIDE}: at ${w}x${h} ${what} became ${scaled}.`;
}
