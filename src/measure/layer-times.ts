import type { NodeTime } from "../graph/profile.js";
import { Program } from "../graph/program.js";
import { normalSource } from "../graph/run-kernel.js";
import type { Model } from "../networks/edm2/model.js";
import { timeline } from "./peaks.js";

/**
 * Times every node of one evaluation, in the order of execution, on random inputs at sigma 1: by timestamps where the adapter has
 * them, else by the clock, one node at a time.
 * @param batch images, default 1
 * @throws NcvsdError BAD_ARGUMENT, OUT_OF_MEMORY, DEVICE_LOST
 */
export async function layerTimes(
  model: Model,
  { batch = 1 }: { readonly batch?: number } = {},
): Promise<readonly NodeTime[]> {
  const { gpu, weights } = model;
  const { network } = model.planFor(batch);
  const { graph, x, condX, sigma, condSigma, labels } = network;
  await weights.load(graph);
  const program = await Program.create(gpu, { label: "timed network", graph, constants: weights });
  try {
    const random = normalSource(1);
    for (const image of [x, condX])
      if (image) gpu.write(program.buffer(image), Float32Array.from({ length: image.length }, random));
    for (const level of [sigma, condSigma])
      if (level) gpu.write(program.buffer(level), new Float32Array(batch).fill(1));
    if (labels) gpu.write(program.buffer(labels), new Float32Array(labels.length));
    // The first run compiles.
    await program.run();
    return (await timeline(program)).nodes;
  } finally {
    program.destroy();
    gpu.flushDestroyed();
  }
}
