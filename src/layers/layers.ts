import type { Tensor } from "../graph/graph.js";
import type { Span } from "../graph/recompute.js";
import type { ConvContext } from "./convolution.js";

/** A graph under construction for one batch size. */
export interface Build extends ConvContext {
  /** How weights come into the graph. */
  readonly layers: Layers;
  /** Whether an intermediate of this name is to be kept; may cost extra nodes where a fusion hides it. */
  wants(name: string): boolean;
  /** Reports an intermediate by its name; kept when wanted. */
  tap(name: string, tensor: Tensor): void;
  /** Layers of one shape in several parts of the network are one node. */
  readonly merged?: boolean;
  /** Where the nodes of each block of a network are noted. */
  readonly blocks?: Span[];
}

/** A convolution of a network: stride 1, zero padding. */
export interface ConvLayer {
  readonly inChannels: number;
  readonly outChannels: number;
  readonly height: number;
  readonly width: number;
  readonly kernel: 1 | 3;
  /** Checkpoint names of the weight and of its gain, if it has one. */
  readonly weight: string;
  readonly gain?: string;
}

export interface LinearLayer {
  readonly inFeatures: number;
  readonly outFeatures: number;
  readonly weight: string;
  /** Multiplies the weight. */
  readonly factor?: number;
}

/** The layers of a part's embedding. */
export interface EmbeddingLayer {
  /** Checkpoint prefix of `emb_fourier`, `emb_noise` and `emb_label`. */
  readonly prefix: string;
  readonly noiseChannels: number;
  readonly outFeatures: number;
  /** Share of the classes, where there are labels. */
  readonly labelBalance: number;
}

/** A block's linear layer of the embedding. */
export interface ScaleLayer {
  /** Checkpoint prefix of its `emb_linear.weight` and `emb_gain`. */
  readonly key: string;
  readonly outFeatures: number;
}

/** Where the scales of one block are: in `c` [N, stride], from `offset` on. */
export interface Scales {
  readonly c: Tensor;
  readonly stride: number;
  readonly offset: number;
}

/** The other operand of a magnitude-preserving sum, its weights and the clip after it. */
export interface Trunk {
  readonly r: Tensor;
  /** Share of the convolution. */
  readonly t: number;
  /** null: not clipped. */
  readonly clip: number | null;
}

/**
 * The parts of a network that have weights, as nodes: the same block, encoder and decoder serve inference, where weights are
 * folded and packed once at load (folded.ts), and training, where they change (trained.ts).
 */
export interface Layers {
  /** MPConv. @param x [N, inChannels, H, W] @returns [N, outChannels, H, W] */
  conv(build: Build, name: string, layer: ConvLayer, x: Tensor): Tensor;
  /** mp_silu(MPConv(x) c), c one scale per image and channel. */
  convScaled(build: Build, name: string, layer: ConvLayer, scales: Scales, x: Tensor): Tensor;
  /** mp_sum(r, MPConv(x), t), clipped. */
  convSummed(build: Build, name: string, layer: ConvLayer, trunk: Trunk, x: Tensor): Tensor;
  /** A linear MPConv on embeddings, which are f32 throughout: [N, inFeatures] to [N, outFeatures]. */
  linear(build: Build, name: string, layer: LinearLayer, x: Tensor): Tensor;
  /**
   * The whole embedding of noise levels [N] and labels [N, label_dim] in one node, to the same bits as layer by layer; absent: there is
   * none.
   */
  embedding?(
    build: Build,
    name: string,
    layer: EmbeddingLayer,
    sigma: Tensor,
    labels: Tensor | undefined,
    into: Tensor | readonly number[],
  ): Tensor;
  /** c = emb_linear(emb) * emb_gain + 1 of each block, in their order. */
  scales(build: Build, name: string, blocks: readonly ScaleLayer[], emb: Tensor): Scales[];
  /** A tensor of the checkpoint as it is stored, f32: mixing weights, Fourier features. */
  stored(build: Build, name: string, length: number): Tensor;
}

/** Factors of mp_sum(a, b, t) = a * first + b * second. */
export function mpSumFactors(t: number): { first: number; second: number } {
  const norm = Math.hypot(1 - t, t);
  return { first: (1 - t) / norm, second: t / norm };
}
