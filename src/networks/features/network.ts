import type { Checkpoint } from "../../checkpoint/index.js";
import { NcvsdError } from "../../errors.js";
import type { Graph, Tensor } from "../../graph/graph.js";
import type { ImageShape } from "../session.js";
import { fashion32 } from "./fashion32.js";

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
 * have only to be in kernels/), and a line in the list below. Inputs that it wants resized or scaled otherwise it converts in
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

const ARCHITECTURES: readonly FeatureArchitecture[] = [fashion32];

/** Names of the architectures that this version knows. */
export const featureNetworkNames: readonly string[] = ARCHITECTURES.map(({ name }) => name);

/**
 * The architecture of a checkpoint, its tensors checked.
 * @throws BAD_CHECKPOINT for an unknown one, or missing or misshapen tensors
 */
export function featureArchitecture({ name: file, metadata, tensors }: Checkpoint): FeatureArchitecture {
  const bad = (message: string) => new NcvsdError("BAD_CHECKPOINT", `${file}: ${message}`);
  const found = ARCHITECTURES.find(({ name }) => name === metadata.architecture);
  if (!found) {
    const is = metadata.architecture === undefined ? "it names no architecture" : `it is "${metadata.architecture}"`;
    throw bad(`no feature network that is known: ${is}, there is ${featureNetworkNames.join(", ")}`);
  }
  for (const [name, shape] of Object.entries(found.tensors)) {
    const tensor = tensors.get(name);
    if (!tensor) throw bad(`the tensor ${name} of ${found.name} is missing`);
    if (tensor.shape.join() !== shape.join())
      throw bad(`the tensor ${name} is [${tensor.shape.join(", ")}] where ${found.name} has [${shape.join(", ")}]`);
  }
  return found;
}
