import { createHash } from "node:crypto";
import { basename, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { readInput, stem } from "../data/arrays.js";
import { readKernel, readMask } from "../data/inputs.js";
import { bad } from "../errors.js";
import type { Gpu } from "../gpu/device.js";
import type { ImageShape } from "../networks/session.js";
import { quote } from "../runs/args.js";
import type { Options } from "../runs/output.js";
import type { Operator } from "./operator.js";
import { operators } from "./operators.js";
import type { TaskName } from "./presets.js";

export const TASKS: readonly TaskName[] = [
  "box_inpainting",
  "random_inpainting",
  "gaussian_deblur_circ",
  "motion_deblur_circ",
  "super_resolution",
  "phase_retrieval",
];

/** What the command line says about the operator. */
export interface TaskFlags {
  readonly task?: string;
  readonly operator?: string;
  readonly mask?: string;
  readonly fraction?: number;
  readonly maskSeed?: number;
  readonly kernelSize?: number;
  readonly std?: number;
  readonly intensity?: number;
  readonly kernelSeed?: number;
  readonly kernel?: string;
  readonly factor?: number;
  readonly oversample?: number;
}

/** A task ready to be solved. */
export interface RestoreTask {
  /** Of the task, or of the user's file. */
  readonly name: string;
  readonly kind: "mask" | "blur" | "super" | "phase" | "own";
  readonly operator: Operator;
  /** One line for sheets and tables. */
  readonly description: string;
  /** Departures from the paper's settings, each a sentence. */
  readonly notes: readonly string[];
  /** Entries of one measurement that count: the known ones of an inpainting. */
  readonly observed: number;
  /** C*H*W zeros and ones, for inpainting. */
  readonly mask?: Float32Array;
  /** Everything that decides the operator. */
  readonly options: Options;
}

/** Side of the images that the paper's settings are made for. */
const PAPER_SIDE = 256;
const KERNEL_SIZE = 61;
const GAUSSIAN_STD = 3;

const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

type OwnFlag = Exclude<keyof TaskFlags, "task" | "operator">;
const FLAGS_OF: Record<TaskName, readonly OwnFlag[]> = {
  box_inpainting: ["mask"],
  random_inpainting: ["mask", "fraction", "maskSeed"],
  gaussian_deblur_circ: ["kernelSize", "std"],
  motion_deblur_circ: ["kernelSize", "intensity", "kernelSeed", "kernel"],
  super_resolution: ["factor"],
  phase_retrieval: ["oversample"],
};
const flagText = (name: string) => `--${name.replace(/[A-Z]/g, (c) => `-${c.toLowerCase()}`)}`;

/** `--task`, checked, and that no option of another task is given. */
export function checkTaskFlags(flags: TaskFlags): TaskName | undefined {
  const { task, operator } = flags;
  if (task !== undefined && operator !== undefined)
    throw bad("--task and --operator exclude each other: the file is the task");
  if (task === undefined && operator === undefined)
    throw bad(`name a task with --task (${TASKS.join(", ")}) or a file with --operator`);
  const name = TASKS.find((known) => known === task);
  if (task !== undefined && name === undefined)
    throw bad(`--task ${quote(task)} is not known: there are ${TASKS.join(", ")}`);
  for (const flag of Object.values(FLAGS_OF).flat()) {
    if (flags[flag] === undefined || (name && FLAGS_OF[name].includes(flag))) continue;
    const owners = TASKS.filter((t) => FLAGS_OF[t].includes(flag));
    throw bad(`${flagText(flag)} is for ${owners.join(" and ")}, not for ${name ?? "--operator"}: leave it out`);
  }
  if (flags.mask !== undefined && (flags.fraction !== undefined || flags.maskSeed !== undefined))
    throw bad("--mask names the mask: leave --fraction and --mask-seed out");
  if (flags.kernel !== undefined && (flags.kernelSize ?? flags.intensity ?? flags.kernelSeed) !== undefined)
    throw bad("--kernel names the kernel: leave --kernel-size, --intensity and --kernel-seed out");
  return name;
}

/**
 * Makes the operator. The paper's settings are for 256x256; where they do not fit they are scaled:
 * - box: always the middle half of each side (rows and columns 64 to 191 of 256);
 * - a 61x61 kernel on smaller images than that: scaled with the square root of the side to the nearest odd size (in proportion
 *   it would blur nothing), and a Gaussian's standard deviation alike: at 32x32 a 21x21 kernel of std 1.06;
 * - phase retrieval: oversample * side / 8 pixels of zeros on every side (the paper's 128 at 256 and oversample 4).
 */
export async function makeTask(gpu: Gpu, flags: TaskFlags, shape: ImageShape): Promise<RestoreTask> {
  const name = checkTaskFlags(flags);
  if (name === undefined) return ownTask(gpu, flags.operator!, shape);
  const [c, h, w] = shape;
  const side = Math.min(h, w);
  switch (name) {
    case "box_inpainting":
    case "random_inpainting": {
      if (flags.mask !== undefined) {
        const mask = await readMask(flags.mask, shape);
        return inpaintingTask(name, operators.inpainting(gpu, { shape, mask }), `mask ${basename(flags.mask)}`, {
          mask: sha256(new Uint8Array(mask.buffer, mask.byteOffset, mask.byteLength)),
        });
      }
      if (name === "random_inpainting") {
        const { fraction = 0.7, maskSeed: seed = 0 } = flags;
        const operator = operators.inpainting(gpu, { shape, fraction, seed });
        return inpaintingTask(name, operator, `${(fraction * 100).toFixed(0)}% of the pixels missing`, {
          fraction,
          maskSeed: seed,
        });
      }
      const box = [Math.floor(h / 4), h - Math.floor(h / 4), Math.floor(w / 4), w - Math.floor(w / 4)] as const;
      const text = `rows ${box[0]}-${box[1] - 1} and columns ${box[2]}-${box[3] - 1} missing`;
      return inpaintingTask(name, operators.inpainting(gpu, { shape, box }), text, { box });
    }
    case "gaussian_deblur_circ": {
      const fitted = fitKernel(side);
      const kernelSize = checkKernelSize(flags.kernelSize ?? fitted.size, side);
      const std = flags.std ?? GAUSSIAN_STD * fitted.scale;
      const scaled = flags.kernelSize === undefined && flags.std === undefined && fitted.scale !== 1;
      return {
        ...linear(operators.gaussianBlur(gpu, { shape, kernelSize, std }), "blur"),
        name,
        description: `Gaussian blur of std ${Number(std.toPrecision(3))}, kernel ${kernelSize}x${kernelSize}, circular`,
        notes: scaled
          ? [
              scaleNote(
                `the kernel of ${KERNEL_SIZE}x${KERNEL_SIZE} and std ${GAUSSIAN_STD}`,
                `${kernelSize}x${kernelSize} and std ${std.toFixed(2)}`,
                h,
                w,
              ),
            ]
          : [],
        options: { kernelSize, std },
      };
    }
    case "motion_deblur_circ": {
      if (flags.kernel !== undefined) {
        const { kernel, kernelSize } = await readKernel(flags.kernel, side);
        return {
          ...linear(operators.motionBlur(gpu, { shape, kernel, kernelSize }), "blur"),
          name,
          description: `blur by the kernel ${basename(flags.kernel)} (${kernelSize}x${kernelSize}), circular`,
          notes: [],
          options: { kernel: sha256(new Uint8Array(kernel.buffer, kernel.byteOffset, kernel.byteLength)) },
        };
      }
      const fitted = fitKernel(side);
      const kernelSize = checkKernelSize(flags.kernelSize ?? fitted.size, side);
      const { intensity = 0.5, kernelSeed: seed = 0 } = flags;
      const scaled = flags.kernelSize === undefined && fitted.scale !== 1;
      return {
        ...linear(operators.motionBlur(gpu, { shape, kernelSize, intensity, seed }), "blur"),
        name,
        description: `motion blur of intensity ${intensity}, kernel ${kernelSize}x${kernelSize}, circular`,
        notes: scaled
          ? [scaleNote(`the kernel of ${KERNEL_SIZE}x${KERNEL_SIZE}`, `${kernelSize}x${kernelSize}`, h, w)]
          : [],
        options: { kernelSize, intensity, kernelSeed: seed },
      };
    }
    case "super_resolution": {
      const { factor = 4 } = flags;
      if (h % factor !== 0 || w % factor !== 0)
        throw bad(`--factor ${factor} does not divide the images of ${w}x${h}: take another factor`);
      return {
        ...linear(operators.superResolution(gpu, { shape, factor }), "super"),
        name,
        description: `bicubic ${factor}x downsampling, ${w}x${h} to ${w / factor}x${h / factor}`,
        notes: [],
        options: { factor },
      };
    }
    case "phase_retrieval": {
      const { oversample = 4 } = flags;
      const pad = Math.round((oversample * 32 * side) / PAPER_SIDE);
      if (pad < 1)
        throw bad(`--oversample ${oversample} leaves no zeros around images of ${w}x${h}: take a larger one`);
      const operator = operators.phaseRetrieval(gpu, { shape, pad });
      return {
        ...linear(operator, "phase"),
        name,
        description: `Fourier amplitudes of ${c === 1 ? "the image" : "each channel"} in ${w + 2 * pad}x${h + 2 * pad}`,
        notes: side === PAPER_SIDE ? [] : [scaleNote(`${oversample * 32} zeros on every side`, `${pad}`, h, w)],
        options: { pad },
      };
    }
  }
}

const volume = (shape: readonly number[]) => shape.reduce((a, b) => a * b, 1);

function linear<K extends RestoreTask["kind"]>(operator: Operator, kind: K) {
  return { operator, kind, observed: volume(operator.measurementShape) };
}

async function inpaintingTask(
  name: TaskName,
  operator: Operator,
  description: string,
  options: Options,
): Promise<RestoreTask> {
  const mask = await operator.forward(new Float32Array(volume(operator.shape)).fill(1));
  const observed = mask.reduce((a, b) => a + b, 0);
  if (observed === 0) throw bad("no pixel is known: leave some");
  return { name, kind: "mask", operator, description, notes: [], observed, mask, options };
}

/** Size and scale of the paper's kernel for images of this side. */
function fitKernel(side: number): { size: number; scale: number } {
  if (side >= KERNEL_SIZE) return { size: KERNEL_SIZE, scale: 1 };
  const scale = Math.sqrt(side / PAPER_SIDE);
  const size = 2 * Math.floor((KERNEL_SIZE * scale) / 2) + 1;
  return { size: Math.min(size, side % 2 ? side : side - 1), scale };
}

function checkKernelSize(size: number, side: number): number {
  if (size > side) throw bad(`--kernel-size ${size} is larger than the images of side ${side}: take ${side} or less`);
  return size;
}

function scaleNote(what: string, scaled: string, h: number, w: number): string {
  return `The paper's settings are for ${PAPER_SIDE}x${PAPER_SIDE}: at ${w}x${h} ${what} became ${scaled}.`;
}

/** `--operator FILE.js`: its default export makes the operator. */
async function ownTask(gpu: Gpu, path: string, shape: ImageShape): Promise<RestoreTask> {
  const source = readInput(path);
  let make: unknown;
  try {
    make = ((await import(pathToFileURL(resolve(path)).href)) as { default?: unknown }).default;
  } catch (cause) {
    throw bad(`--operator ${path} cannot be loaded: ${(cause as Error).message}`, cause);
  }
  if (typeof make !== "function")
    throw bad(`--operator ${path} must export by default a function (gpu, { shape }) that gives an operator`);
  let operator: Operator | undefined;
  try {
    operator = (await make(gpu, { shape })) as Operator | undefined;
  } catch (cause) {
    throw bad(`--operator ${path} failed: ${(cause as Error).message}`, cause);
  }
  if (
    typeof operator?.forward !== "function" ||
    !Array.isArray(operator.shape) ||
    !Array.isArray(operator.measurementShape)
  )
    throw bad(`--operator ${path}: what it made is no operator (it needs shape, measurementShape and forward)`);
  if (String(operator.shape) !== String(shape))
    throw bad(
      `--operator ${path} is for images of [${operator.shape}], but the checkpoint makes [${shape}]: use the shape it is given`,
    );
  return {
    ...linear(operator, "own"),
    name: stem(path),
    description: operator.name ?? basename(path),
    notes: [],
    options: { operator: sha256(source) },
  };
}
