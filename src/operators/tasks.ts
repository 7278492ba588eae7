import { bad } from "../errors.js";
import type { Gpu } from "../gpu/device.js";
import type { ImageShape } from "../networks/session.js";
import type { Baselines, Measured } from "./baselines.js";
import { volume } from "./check.js";
import { boxInpainting } from "./tasks/box-inpainting.js";
import { codedDiffractionPatterns } from "./tasks/coded-diffraction-patterns.js";
import { colorization } from "./tasks/colorization.js";
import { decimatedBlur } from "./tasks/decimated-blur.js";
import { demosaicing } from "./tasks/demosaicing.js";
import { fourierPtychography } from "./tasks/fourier-ptychography.js";
import { gaussianDeblur } from "./tasks/gaussian-deblur.js";
import { gaussianDeblurCirc } from "./tasks/gaussian-deblur-circ.js";
import { hadamard } from "./tasks/hadamard.js";
import { highDynamicRange } from "./tasks/high-dynamic-range.js";
import { jpeg } from "./tasks/jpeg.js";
import { matrix } from "./tasks/matrix.js";
import { motionDeblurCirc } from "./tasks/motion-deblur-circ.js";
import { mri } from "./tasks/mri.js";
import { outpainting } from "./tasks/outpainting.js";
import { phaseRetrieval } from "./tasks/phase-retrieval.js";
import { poisson } from "./tasks/poisson.js";
import { ptychography } from "./tasks/ptychography.js";
import { quantization } from "./tasks/quantization.js";
import { REFERENCE_PRESET, randomInpainting } from "./tasks/random-inpainting.js";
import { superResolution } from "./tasks/super-resolution.js";
import { superResolution16x } from "./tasks/super-resolution-16x.js";
import { superResolutionSvd } from "./tasks/super-resolution-svd.js";
import type { Made, OptionsOf, Task, TaskPreset } from "./tasks/task.js";
import { tomography } from "./tasks/tomography.js";
import { varyingBlur } from "./tasks/varying-blur.js";

/** The tasks of `restore`, in the order of its help. The paper's settings are for 256x256; where they do not fit they are scaled. */
const TABLE = {
  box_inpainting: boxInpainting,
  random_inpainting: randomInpainting,
  gaussian_deblur_circ: gaussianDeblurCirc,
  motion_deblur_circ: motionDeblurCirc,
  super_resolution: superResolution,
  phase_retrieval: phaseRetrieval,
  super_resolution_svd: superResolutionSvd,
  super_resolution_16x: superResolution16x,
  decimated_blur: decimatedBlur,
  gaussian_deblur: gaussianDeblur,
  colorization,
  demosaicing,
  outpainting,
  hadamard,
  matrix,
  varying_blur: varyingBlur,
  tomography,
  mri,
  coded_diffraction_patterns: codedDiffractionPatterns,
  ptychography,
  fourier_ptychography: fourierPtychography,
  high_dynamic_range: highDynamicRange,
  quantization,
  jpeg,
  poisson,
} as const satisfies Record<string, Task>;

/** Names of the tasks. */
export type TaskName = keyof typeof TABLE;

/** The tasks by name. */
export const tasks: Readonly<Record<TaskName, Task>> = TABLE;

/**
 * Settings of PnP-GD by task, as the paper and the reference have them; `random_inpainting_reference` has the reference's own of a
 * task that the paper does not have.
 */
export const presets = {
  ...(Object.fromEntries(Object.entries(tasks).map(([name, { preset }]) => [name, preset])) as Record<
    TaskName,
    TaskPreset
  >),
  random_inpainting_reference: REFERENCE_PRESET,
} as const;

/** Of an operator that is in no table: the paper's schedule and averaging; beta is twice the variance of the noise. */
export const OWN_SETTINGS: TaskPreset = {
  ...presets.gaussian_deblur_circ,
  beta: 2 * presets.gaussian_deblur_circ.sigmaY ** 2,
};

/** A task ready to be solved. */
export interface RestoreTask extends Made, Required<Pick<Task, "blur" | "movable" | "scale" | "noise">> {
  readonly notes: readonly string[];
  /** Of the task, or of the user's file. */
  readonly name: string;
  /** Of PnP-GD, the paper's and the reference's. */
  readonly settings: { readonly paper: TaskPreset; readonly reference?: TaskPreset };
  /** See `Task`. */
  readonly samplers: NonNullable<Task["samplers"]>;
  /** Entries of one measurement that count: the known ones of an inpainting. */
  readonly observed: number;
  /** What simple methods make of the same measurements, by their names. */
  baselines(measured: Measured): Promise<Baselines>;
}

/** Makes a task's operator for images of a shape. */
export async function makeTask<N extends TaskName>(
  gpu: Gpu,
  name: N,
  shape: ImageShape,
  options: OptionsOf<(typeof TABLE)[N]["flags"]>,
): Promise<RestoreTask> {
  const task: Task = tasks[name];
  const own = task.make(gpu, shape, options);
  const { warning } = own.operator;
  const made = { ...own, notes: [...(own.notes ?? []), ...(warning ? [warning] : [])] };
  const common = {
    name,
    settings: { paper: task.preset, reference: task.preset, ...task.settings },
    samplers: task.samplers ?? {},
    blur: task.blur ?? false,
    movable: task.movable ?? false,
    scale: task.scale ?? "pixels",
    noise: task.noise ?? "added",
  };
  const mask = task.masked ? await made.operator.forward(new Float32Array(volume(shape)).fill(1)) : made.mask;
  const baselines = made.baselines ?? task.baselines;
  if (!mask) return { ...made, ...common, observed: volume(made.operator.measurementShape), baselines };
  const observed = mask.reduce((a, b) => a + b, 0);
  if (observed === 0) throw bad("no pixel is known: leave some");
  return { ...made, ...common, observed, mask, baselines: (measured) => baselines({ ...measured, mask }) };
}
