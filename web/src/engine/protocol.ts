/** What the page and its worker say to one another. */

export const SIDE = 32;
export const PIXELS = SIDE * SIDE;

/** What is done to the picture. */
export type Degradation =
  /** 1: known, 0: hidden. */
  | { readonly task: "mask"; readonly mask: Uint8Array }
  /** Hidden rows and columns: top, bottom, left, right; bottom and right not included. */
  | { readonly task: "box"; readonly box: readonly [number, number, number, number] }
  | { readonly task: "blur"; readonly std: number }
  | { readonly task: "motion"; readonly intensity: number; readonly path: number }
  | { readonly task: "super"; readonly factor: number }
  | { readonly task: "phase"; readonly oversample: number };

export type TaskName = Degradation["task"];

export interface RestoreJob {
  readonly kind: "restore";
  readonly degradation: Degradation;
  /** The clean picture, in [-1, 1]. */
  readonly truth: Float32Array;
  /** Names the noise, as a file's name does for the command line. */
  readonly name: string;
  readonly sigmaY: number;
  readonly runs: number;
  readonly seed: number;
  /** Class; -1: none said. */
  readonly label: number;
  readonly levels: number;
  /** A network of the visitor's; absent: the page's own. */
  readonly network?: File;
}

export interface Measured {
  readonly kind: "measured";
  readonly values: Float32Array;
  readonly shape: readonly [height: number, width: number];
  /** Amplitudes: to be shown logarithmically. */
  readonly amplitudes: boolean;
}

export interface RestoreStep {
  readonly kind: "step";
  readonly step: number;
  readonly steps: number;
  readonly sigma: number;
  readonly images: Float32Array;
}

export interface Restored {
  readonly images: Float32Array;
  readonly chi2: readonly number[];
  readonly psnr: readonly number[];
  readonly evaluations: number;
  readonly seconds: number;
  readonly adapter: string;
  /** Text chunks of each sample's PNG. */
  readonly texts: readonly Readonly<Record<string, string>>[];
}

export interface GenerateJob {
  readonly kind: "generate";
  readonly seeds: readonly number[];
  readonly labels: readonly number[];
  readonly ts: readonly number[];
  readonly zeta: number;
  /** From which seed's noise to which, 0 to 1: one share per image; absent: no walk. */
  readonly walk?: { readonly to: number; readonly shares: readonly number[] };
}

export interface Generated {
  readonly images: Float32Array;
  readonly seconds: number;
  readonly adapter: string;
  readonly texts: readonly Readonly<Record<string, string>>[];
}

/** Draws of what a noisy picture may have been. */
export interface NoisyJob {
  readonly kind: "noisy";
  readonly truth: Float32Array;
  readonly sigma: number;
  readonly draws: number;
  readonly seed: number;
}

export interface Noisy {
  readonly noisy: Float32Array;
  readonly images: Float32Array;
}

/** One seed, step by step. */
export interface StepsJob {
  readonly kind: "steps";
  readonly seed: number;
  readonly label: number;
  readonly ts: readonly number[];
  readonly zeta: number;
}

/** The same by the teacher, with Heun's sampler. */
export interface TeacherJob {
  readonly kind: "teacher";
  readonly seed: number;
  readonly label: number;
  readonly steps: number;
}

export interface Frame {
  readonly sigma: number;
  /** What goes in. */
  readonly noisy: Float32Array;
  /** What the network makes of it. */
  readonly denoised: Float32Array;
}

export interface Strip {
  readonly frames: readonly Frame[];
  readonly image: Float32Array;
  readonly evaluations: number;
  readonly seconds: number;
}

/** Times every layer of one evaluation. */
export interface LayersJob {
  readonly kind: "layers";
}

export interface Layer {
  readonly node: string;
  readonly kernel: string;
  readonly variant: string;
  readonly ms: number;
  readonly flops: number;
}

export interface Layers {
  readonly layers: readonly Layer[];
  readonly adapter: string;
}

/** Compares a kernel of the network with its float64 reference, on this adapter. */
export interface CheckJob {
  readonly kind: "check";
  readonly kernel: string;
}

export interface Checked {
  readonly variant: string;
  readonly case: string;
  readonly error: number;
  readonly ok: boolean;
}

/** Pictures of a network of the visitor's. */
export interface OwnJob {
  readonly kind: "own";
  readonly file: File;
  readonly seeds: readonly number[];
}

export interface Own {
  readonly images: Float32Array;
  readonly shape: readonly [n: number, c: number, h: number, w: number];
  readonly architecture: string;
  readonly parameters: number;
  readonly evaluations: number;
  readonly seconds: number;
}

export interface PngJob {
  readonly kind: "png";
  /** Pictures side by side where there are several. */
  readonly images: Float32Array;
  readonly text: Readonly<Record<string, string>>;
}

/** Text chunks of a PNG, or a picture in the network's size. */
export interface ReadJob {
  readonly kind: "read";
  readonly bytes: Uint8Array;
}

export interface Read {
  readonly values: Float32Array;
  readonly text: Readonly<Record<string, string>>;
}

export interface Jobs {
  readonly restore: { readonly job: RestoreJob; readonly event: Measured | RestoreStep; readonly result: Restored };
  readonly generate: { readonly job: GenerateJob; readonly event: never; readonly result: Generated };
  readonly noisy: { readonly job: NoisyJob; readonly event: never; readonly result: Noisy };
  readonly steps: { readonly job: StepsJob; readonly event: Frame; readonly result: Strip };
  readonly teacher: { readonly job: TeacherJob; readonly event: Frame; readonly result: Strip };
  readonly layers: { readonly job: LayersJob; readonly event: never; readonly result: Layers };
  readonly check: { readonly job: CheckJob; readonly event: never; readonly result: Checked };
  readonly own: {
    readonly job: OwnJob;
    readonly event: { readonly done: number; readonly total: number };
    readonly result: Own;
  };
  readonly png: { readonly job: PngJob; readonly event: never; readonly result: Uint8Array };
  readonly read: { readonly job: ReadJob; readonly event: never; readonly result: Read };
}

export type Kind = keyof Jobs;
export type JobOf<K extends Kind> = Jobs[K]["job"] & { readonly kind: K };

/** How the engine is. */
export type Status =
  | { readonly phase: "starting" }
  | { readonly phase: "fetching"; readonly bytes: number; readonly total: number }
  | { readonly phase: "preparing" }
  | { readonly phase: "ready"; readonly adapter: string; readonly software: boolean; readonly reopened: boolean }
  | { readonly phase: "reopening" }
  | { readonly phase: "failed"; readonly code: string; readonly message: string };

export interface Failure {
  readonly code: string;
  readonly message: string;
}

export type ToWorker =
  | { readonly say: "run"; readonly id: number; readonly job: Jobs[Kind]["job"] }
  | { readonly say: "stop"; readonly id: number }
  | { readonly say: "again" };

export type FromWorker =
  | { readonly say: "status"; readonly status: Status }
  | { readonly say: "event"; readonly id: number; readonly event: unknown }
  | { readonly say: "done"; readonly id: number; readonly result: unknown }
  | { readonly say: "failed"; readonly id: number; readonly failure: Failure };
