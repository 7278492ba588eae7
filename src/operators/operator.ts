import type { Gpu } from "../gpu/device.js";
import type { Encodable } from "../graph/stage.js";
import type { ImageShape } from "../networks/session.js";

/** What a posterior draw starts from; images are N*C*H*W values, measurements N times `measurementShape`. */
export interface ProximalInput {
  /** Centre of the prior N(x, rho^2). */
  readonly x: Float32Array;
  readonly y: Float32Array;
  /** Standard deviation of the measurement noise that the likelihood assumes: sqrt(beta / 2). */
  readonly sigma: number;
  /** Standard deviation of the prior. */
  readonly rho: number;
  /** Standard normal values, shaped like x. Absent: draw 0 of `seeds`. All zeros give the posterior's mean. */
  readonly noise?: Float32Array;
  /** One per image, default 0, 1, 2, …; only used where no noise is given. */
  readonly seeds?: ArrayLike<number>;
}

export interface EnergyInput {
  readonly x: Float32Array;
  readonly y: Float32Array;
}

/**
 * A measurement operator A: y = A(x) + noise. All methods work on batches, take and give `Float32Array`s (images NCHW in the
 * network's value range) and are pure. `forward` is always there. For `solveInverse` an operator must have
 * `sampleProximal` (a closed form of the likelihood step), or `energyGradient`, or `adjoint` if it is linear
 * (the gradient is then 2 A'(A x - y)); the latter two are sampled with Langevin dynamics.
 *
 * An operator of your own may stop here: it then costs a read-back per likelihood step (per Langevin step with a gradient).
 * With `open` it stays on the GPU.
 */
export interface Operator {
  /** For messages. */
  readonly name?: string;
  /** C, H, W of one image. */
  readonly shape: ImageShape;
  /** Extents of one image's measurement. */
  readonly measurementShape: readonly number[];
  /** A(x). */
  forward(x: Float32Array): Promise<Float32Array>;
  /** A'y of a linear operator. */
  adjoint?(y: Float32Array): Promise<Float32Array>;
  /** One draw of p(x' | y) ~ N(y; A x', sigma^2) N(x'; x, rho^2). */
  sampleProximal?(input: ProximalInput): Promise<Float32Array>;
  /** Gradient with respect to x of ||A(x) - y||^2, per image: summed over all entries, no factor 1/2. */
  energyGradient?(input: EnergyInput): Promise<Float32Array>;
  /** The same on the GPU for a fixed batch. */
  open?(batch: number): Promise<OperatorSession>;
  /** Gives back what the operator holds on the GPU. */
  close?(): void;
}

/** One of an operator's maps made ready; `encode` records it. */
export interface OperatorStage extends Encodable {
  /** The result: f32, an image or a measurement per image. */
  readonly out: GPUBuffer;
  /** What depends on y alone; recorded once after every change of y, before `encode`. */
  readonly prepare?: Encodable;
}

export interface ProximalStage extends OperatorStage {
  /** Standard normal values, [N, C, H, W]; the caller fills it. */
  readonly z: GPUBuffer;
  /** [sigma, rho] */
  readonly level: GPUBuffer;
}

/**
 * An operator made ready for one batch. Every buffer is made with `gpu.storage(label, bytes)` and of the length that is said
 * here, since it is bound and copied whole. Stages read `x` and `y` of the session; asking for one twice gives the same.
 */
export interface OperatorSession {
  readonly gpu: Gpu;
  readonly batch: number;
  /** [N, C, H, W] f32 */
  readonly x: GPUBuffer;
  /** [N, ...measurementShape] f32 */
  readonly y: GPUBuffer;
  /** A(x) */
  openForward?(): Promise<OperatorStage>;
  /** A'y */
  openAdjoint?(): Promise<OperatorStage>;
  openProximal?(): Promise<ProximalStage>;
  openGradient?(): Promise<OperatorStage>;
  /** Gives the buffers back; nothing of the session may be used afterwards. */
  release(): void;
}

/** The chain is stable while c1 / c2 times the largest curvature of ||A(x) - y||^2 (2 ||A||^2 if A is linear) is below 2. */
export interface UlaOptions {
  /** Step size eta = c1 / (c2 / beta + 1 / sigma^2); default 0.1. */
  readonly c1?: number;
  /** Default 0.1. */
  readonly c2?: number;
  /** Steps per likelihood step; default 100. */
  readonly steps?: number;
}
