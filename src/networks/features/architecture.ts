import type { Graph, Tensor } from "../../graph/graph.js";
import type { ImageShape } from "../session.js";

/** What a feature network adds to a graph. */
export interface FeatureGraph {
  /** [N, C, H, W] f32 in [-1, 1], external. */
  readonly images: Tensor;
  /** [N, dim] f32, external. */
  readonly features: Tensor;
  /** [N, classes] f32, external; absent without a classifier head. */
  readonly logits?: Tensor;
}

/**
 * A network whose activations the Frechet distance compares. An architecture is one file beside this one: it builds a graph
 * of kernels (convolution, pooling, linear layers, layer normalisation and attention over tokens are in ./layers.ts; others
 * have only to be in kernels/), and a line in the list of ./network.ts. Inputs that it wants resized or scaled otherwise it converts in
 * its own graph.
 */
export interface FeatureArchitecture {
  /** `architecture` in the metadata of its checkpoint, and the name under which statistics know it. */
  readonly name: string;
  /** Length of a feature vector. */
  readonly dim: number;
  /** Of the images that it takes. */
  readonly input: ImageShape;
  /** Number of classes of its classifier head; 0: none. */
  readonly classes: number;
  /** Tensors that its checkpoint must have, with their shapes. */
  readonly tensors: Readonly<Record<string, readonly number[]>>;
  build(graph: Graph, batch: number): FeatureGraph;
}
