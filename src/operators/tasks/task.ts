import type { Gpu } from "../../gpu/device.js";
import type { ImageShape } from "../../networks/session.js";
import type { Baselines, Measured } from "../baselines.js";
import type { Operator, UlaOptions } from "../operator.js";
import type { TomographyOptions } from "../tomography.js";

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
  readonly shape: readonly number[];
  /** For descriptions. */
  readonly name: string;
  readonly sha256: string;
}

/** A scanner's geometry from a file. */
export interface GeometryFile {
  readonly geometry: Omit<TomographyOptions, "shape" | "solver">;
  readonly name: string;
  readonly sha256: string;
}

/** An option of a task as the command line knows it, under its name in the task's options. */
export interface TaskFlag {
  /** "--fraction <x>" */
  readonly option: string;
  readonly help: string;
  /** A number within a range, one of a few, several numbers, or a file (`array`: numbers of any shape, the task looks at it). */
  readonly value:
    | { readonly number: { readonly min?: number; readonly max?: number; readonly above?: number } }
    | { readonly integer: { readonly min?: number; readonly max?: number } }
    | { readonly choice: readonly (number | string)[] }
    | { readonly numbers: { readonly count?: number } }
    | { readonly file: "mask" | "kernel" | "array" | "geometry" };
  /** Options that make no sense beside it, for it says the same. */
  readonly excludes?: readonly string[];
}

type Flags = Readonly<Record<string, TaskFlag>>;

/** What an option of each kind gives. */
type ValueOf<Kind> = Kind extends { readonly choice: readonly (infer One)[] }
  ? One
  : Kind extends { readonly file: "geometry" }
    ? GeometryFile
    : Kind extends { readonly file: string }
      ? FileValues
      : Kind extends { readonly numbers: object }
        ? readonly number[]
        : number;

/** What may be said about a task's operator: a value for each of its options, or none. */
export type OptionsOf<F extends Flags> = { readonly [K in keyof F]?: ValueOf<F[K]["value"]> };

/** What a task's file makes of its options. */
export interface Made {
  readonly operator: Operator;
  /** One line for sheets and tables. */
  readonly description: string;
  /** Departures from the paper's settings, each a sentence. */
  readonly notes?: readonly string[];
  /** Zeros where a measurement holds nothing, else ones; absent: it holds something everywhere. */
  readonly mask?: Float32Array;
  /** A measurement as a picture; absent: as it stands, where it can. */
  readonly show?: (y: Float32Array) => Shown | Promise<Shown>;
  /** Variance of entry i of a measurement around A(x); absent: sigma_y^2. */
  readonly variance?: (value: number, i: number, sigmaY: number) => number;
  /** Simple methods in place of the task's, that depend on the options. */
  readonly baselines?: (measured: Measured) => Promise<Baselines>;
  /** Everything that decides the operator, for records. */
  readonly options: Readonly<Record<string, number | string | readonly number[]>>;
}

/** Values of a picture, [C, H, W]: -1 is black, 1 white; or, logarithmically, from 0 to the largest amplitude. */
export interface Shown {
  readonly values: Float32Array;
  readonly shape: readonly number[];
  readonly logarithmic?: boolean;
}

/** Everything that the project knows of a task. */
export interface Task<F extends Flags = Flags> {
  /** Table 4 of the paper (NCVSD, appendix B.3), or the reference's preset. */
  readonly preset: TaskPreset;
  /** What `restore` takes instead, where the paper and the reference differ, or neither has the task. */
  readonly settings?: Partial<Record<"paper" | "reference", TaskPreset>>;
  /** What the authors of other samplers chose for such a task, by the sampler's name ("daps hmc": of that algorithm). */
  readonly samplers?: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  readonly flags: F;
  make(gpu: Gpu, shape: ImageShape, options: OptionsOf<F>): Made;
  readonly baselines: (measured: Measured) => Promise<Baselines>;
  /** An inpainting: entries of a measurement count only where A maps ones to ones. */
  readonly masked?: boolean;
  /** A convolution: what it makes of one bright pixel is its kernel. */
  readonly blur?: boolean;
  /** Measurements do not tell where the picture lies. */
  readonly movable?: boolean;
  /**
   * What a measurement's numbers are: "pixels" (default) with black and white of their own; "linear" in the picture, as projections
   * are; "counts"; or "own", which have no range.
   */
  readonly scale?: "pixels" | "linear" | "counts" | "own";
  /** How noise comes in: "added" to A(x) (default), to x "inside" A, or as "counts" of mean A(x). */
  readonly noise?: "added" | "inside" | "counts";
}

/** The task as it is; its options get their types from its flags. */
export const task = <const F extends Flags>(parts: Task<F>): Task<F> => parts;
