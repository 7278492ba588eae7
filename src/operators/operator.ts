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
  /** The second draw of operators that have a `noiseShape`: N times that many values. Absent: draw 1 of `seeds`. */
  readonly noiseY?: Float32Array;
  /** One per image, default 0, 1, 2, …; only used where no noise is given. */
  readonly seeds?: ArrayLike<number>;
}

/** A draw of a pointwise law; sigma may be 0 or absent where the operator can do without. */
export interface LawProximalInput extends Omit<ProximalInput, "sigma"> {
  readonly sigma?: number;
  /**
   * The draw is the quantile at these, one per entry of the law, between 0 and 1; in place of `noise`, whose values stand for
   * their normal distribution function.
   */
  readonly uniforms?: Float32Array;
}

/** When the conjugate gradients of a two-draw step stop. */
export interface SolverOptions {
  /** In standard deviations of the posterior, root mean square over a picture's numbers; default 0.01. */
  readonly tolerance?: number;
  /** Most steps, each a forward and an adjoint; default 100. Reaching it is no error: the step is then less exact. */
  readonly maxIterations?: number;
}

/** What the last call took: the most steps over the batch, and whether every picture's stopped before the cap. */
export interface Solve {
  readonly iterations: number;
  readonly converged: boolean;
}

/** A A' = T W T' with T orthogonal and W diagonal. Maps take and give batches of measurements. */
export interface Gram {
  /** Eigenvalues, none negative: one for all, or one per entry of a measurement. Where one is 0, y is not looked at. */
  readonly W: number | ArrayLike<number>;
  /** Absent: the identity, as is Tt. */
  T?(v: Float32Array): Promise<Float32Array> | Float32Array;
  /** T'. */
  Tt?(v: Float32Array): Promise<Float32Array> | Float32Array;
}

/** For the exact law of one entry under N(x, rho^2), of operators that act on every entry alone. */
export interface LawInput {
  readonly x: Float32Array;
  readonly y: Float32Array;
  /** Standard deviation of the measurement noise; operators that can do without take 0 or nothing. */
  readonly sigma?: number;
  readonly rho: number;
  /** Where to evaluate the distribution function, one value per entry of the law. */
  readonly at?: Float32Array;
}

export interface Law {
  readonly mean: Float64Array;
  readonly variance: Float64Array;
  readonly cdf?: Float64Array;
}

export interface EnergyInput {
  readonly x: Float32Array;
  readonly y: Float32Array;
}

/**
 * A measurement operator A: y = A(x) + noise. All methods work on batches, take and give `Float32Array`s (images NCHW in the
 * network's value range) and are pure. `forward` is always there. For `solveInverse` an operator must have one of
 *
 * - `sampleProximal`: an exact likelihood step;
 * - `adjoint`, if it is linear: the exact step then follows, in closed form from `gram` where that is given, else by conjugate
 *   gradients from two draws (x' = the mean at x + rho z and y - sigma zy);
 * - `energyGradient`: Langevin dynamics. With `adjoint` alone the gradient is 2 A'(A x - y).
 *
 * An operator of your own may stop here: it then costs read-backs (one per likelihood step, two per step of conjugate gradients,
 * one per Langevin step). With `open` it stays on the GPU.
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
  /** Extents of the second standard normal draw of `sampleProximal` for one picture; absent: one draw is all. */
  readonly noiseShape?: readonly number[];
  /** In place of `sampleProximal`, beside `adjoint`: the exact step follows. */
  readonly gram?: Gram;
  /** Of the conjugate gradients, where the step is made by them. */
  readonly solver?: SolverOptions;
  /** What the last step by conjugate gradients took. */
  readonly solve?: Solve | undefined;
  /** Mean and variance of every entry's posterior, for pointwise laws. Their mean is not the draw with zero noise. */
  law?(input: LawInput): Promise<Law>;
  /** Whether sigma may be 0; absent: where there is a `law`. */
  readonly withoutNoise?: boolean;
  /** The posterior's mean in pixels, N*C*H*W, where the entries of `law` are no pixels. */
  posteriorMean?(input: LawInput): Promise<Float32Array>;
  /**
   * Largest curvature of ||A(x) - y||^2 where it is known: 2 ||A||^2 of a linear operator. Langevin steps of length h on
   * ||A(x) - y||^2 / (2 sigma^2) are stable while h times curvature / (2 sigma^2) is below 2.
   */
  readonly curvature?: number;
  /** Its recorded runs take Langevin steps: where `ula` is given, it gets them although it has an exact step. */
  readonly langevinByUla?: boolean;
  /** What its user should be told although it is no error. */
  readonly warning?: string | undefined;
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
  /** The second draw, [N, ...noiseShape], where the operator has one. */
  readonly zy?: GPUBuffer;
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
  /** Absent, with forward and adjoint there: steps by conjugate gradients, which use x and y of the session. */
  openProximal?(): Promise<ProximalStage>;
  openGradient?(): Promise<OperatorStage>;
  /** Hears what each step by conjugate gradients took. */
  solved?(solve: Solve): void;
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
