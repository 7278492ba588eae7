import type { FeatureArchitecture } from "./architecture.js";
import { convolution, dense, pooling } from "./layers.js";

const HALF = { mode: "max", kernel: 2, stride: 2 } as const;
const CLASSES = 10;
const DIM = 64;

/** The small Fashion-MNIST classifier of weights/fashion32-features.safetensors; its features are fc1 before the activation. */
export const fashion32: FeatureArchitecture = {
  name: "fashion32-features",
  dim: DIM,
  input: [1, 32, 32],
  classes: CLASSES,
  tensors: {
    "conv1.weight": [16, 1, 3, 3],
    "conv1.bias": [16],
    "conv2.weight": [32, 16, 3, 3],
    "conv2.bias": [32],
    "conv3.weight": [64, 32, 3, 3],
    "conv3.bias": [64],
    "fc1.weight": [DIM, 1024],
    "fc1.bias": [DIM],
    "fc2.weight": [CLASSES, DIM],
    "fc2.bias": [CLASSES],
  },
  build(graph, batch) {
    const images = graph.external("images", [batch, 1, 32, 32]);
    let x = images;
    for (const [i, outChannels] of [16, 32, 64].entries()) {
      const name = `conv${i + 1}`;
      x = convolution(graph, { name, outChannels, kernel: 3, padding: 1, activation: "relu" }, x);
      x = pooling(graph, `pool${i + 1}`, HALF, x);
    }
    const features = dense(graph, { name: "fc1", outFeatures: DIM }, x, graph.external("features", [batch, DIM]));
    // Once more with the activation: 0.1 MFLOP against a kernel for nothing else.
    const hidden = dense(graph, { name: "fc1", outFeatures: DIM, activation: "relu" }, x);
    const logits = dense(
      graph,
      { name: "fc2", outFeatures: CLASSES },
      hidden,
      graph.external("logits", [batch, CLASSES]),
    );
    return { images, features, logits };
  },
};
