/** A training step of DISCO's network (an energy of two coordinates, width 128, 1,024 points): its numbers, the same in every process. */
import { normalSource } from "../../../dist/src/graph/run-kernel.js";
import { completeConfig, discoTensors } from "../../../dist/src/networks/energy/config.js";
import { newDisco } from "../../../dist/src/train/disco-initial.js";

export const ROWS_OF_POINTS = 1024;
/**
 * Of these are different, and the others the same again: the loss's gradient jumps where an activation is 0, and among a million
 * activations some are so near that single precision takes the other side.
 */
export const DIFFERENT = 64;
export const discoConfig = completeConfig({ dim: 2, width: 128 }, (what) => new Error(what));

/** Adam's settings at its first step. */
export const ADAM = { lr: 1e-4, beta1: 0.9, beta2: 0.999, eps: 1e-8 };

/** Of the passes: four of them, and two products for the weights. */
export function discoStepFlops() {
  const { dim, width, embed, blocks } = discoConfig;
  const pass = 2 * blocks * width * width + (width / 2) * dim * embed + width * dim;
  return 6 * 2 * ROWS_OF_POINTS * pass;
}

/** Parameters by name, points, what is learnt at them, weights: in all, and of the different ones. */
export function discoStep() {
  const repeated = (each) => {
    const all = new Float32Array((each.length / DIFFERENT) * ROWS_OF_POINTS);
    for (let at = 0; at < all.length; at += each.length) all.set(each, at);
    return all;
  };
  const values = (length, seed, scale = 1) => Float32Array.from({ length }, normalSource(seed)).map((v) => scale * v);
  const tensors = newDisco(discoConfig, 1);
  // Biases and beta of a new network are 0: then some terms could be missing and nobody would know.
  for (const [name, tensor] of tensors)
    if (/\.(bias|beta)$/.test(name)) tensors.set(name, values(tensor.length, tensor.length, 0.1));
  const different = {
    x: values(2 * DIFFERENT, 3),
    target: values(2 * DIFFERENT, 4, 0.3),
    weight: values(DIFFERENT, 5).map(Math.abs),
  };
  const all = Object.fromEntries(Object.entries(different).map(([name, each]) => [name, repeated(each)]));
  return { shapes: discoTensors(discoConfig), tensors, ...all, different };
}
