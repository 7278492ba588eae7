import type { Gpu } from "../gpu/device.js";
import type { Encodable } from "../graph/stage.js";

/** One class index per image (-1: the all-zeros label), or N x label_dim weights; one entry or row serves the whole batch. */
export type Labels = readonly number[] | Float32Array;

/** C, H, W of one image. */
export type ImageShape = readonly [channels: number, height: number, width: number];

interface SessionBase {
  readonly gpu: Gpu;
  readonly batch: number;
  /** Records one evaluation. */
  encode(pass: GPUComputePassEncoder): void;
  /** Name of the first node whose output is not finite with the present inputs, or undefined: for error messages. */
  locateNonFinite(): Promise<string | undefined>;
  /** Gives the buffers back; nothing of the session may be used afterwards. */
  release(): void;
}

/** A denoiser D(x; sigma) made ready for one batch: from `x` and `sigma` to `denoised`, all f32 on the GPU. */
export interface DenoiserSession extends SessionBase {
  /** [N, C, H, W] */
  readonly x: GPUBuffer;
  /** [N] */
  readonly sigma: GPUBuffer;
  /** [N, C, H, W] */
  readonly denoised: GPUBuffer;
}

/** A denoiser with its derivative: J = dD/dx at the x and sigma that `encode` saw last, labels and sigma held fixed. */
export interface DenoiserVjpSession extends DenoiserSession {
  /** [N, C, H, W] */
  readonly v: GPUBuffer;
  /** J'v, [N, C, H, W]: the vector-Jacobian product of each image on its own. */
  readonly vjp: GPUBuffer;
  /** Records one reverse pass, from `v` to `vjp`; any number of them after one evaluation. */
  readonly pullback: Encodable;
}

/** A generative denoiser G(y, sigma, z) made ready for one batch: a sample of p(x0 | y), all f32 on the GPU. */
export interface GenerativeSession extends SessionBase {
  /** [N, C, H, W] */
  readonly y: GPUBuffer;
  /** [N] */
  readonly sigma: GPUBuffer;
  /** Standard normal noise, [N, C, H, W]. */
  readonly z: GPUBuffer;
  /** [N, C, H, W] */
  readonly x0: GPUBuffer;
}

/** What Heun's sampler needs of a network. */
export interface Denoiser {
  readonly gpu: Gpu;
  readonly shape: ImageShape;
  /** Number of classes; absent or 0: none. */
  readonly labelDim?: number;
  /** Labels absent: the all-zeros label. */
  openDenoiser(batch: number, labels: Labels | undefined): Promise<DenoiserSession>;
  /** Its derivative, where it has one of its own: an exact prior. Networks have theirs from `openDenoiserVjp`. */
  openDenoiserVjp?(batch: number, labels: Labels | undefined): Promise<DenoiserVjpSession>;
}

/** What the multi-step sampler and PnP-GD need of a network. */
export interface GenerativeDenoiser {
  readonly gpu: Gpu;
  readonly shape: ImageShape;
  /** Number of classes; absent or 0: none. */
  readonly labelDim?: number;
  /** Noise level from which generation starts. */
  readonly initSigma: number;
  openGenerator(batch: number, labels: Labels | undefined): Promise<GenerativeSession>;
}
