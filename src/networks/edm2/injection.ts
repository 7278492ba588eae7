import { injectNoise } from "../../../kernels/network/inject-noise/kernel.js";
import type { Gpu } from "../../gpu/device.js";
import { Graph, type Tensor } from "../../graph/graph.js";
import { Program } from "../../graph/program.js";
import type { NetworkGraph } from "./network.js";

/**
 * The noise injection in front of an NCVSD network (NCVSD, eq. 34): (y, sigma, z) to (y_hat, sigma_hat), into the network's own inputs.
 * @param buffer of a tensor of the network
 */
export async function openInjection(
  gpu: Gpu,
  network: NetworkGraph,
  buffer: (tensor: Tensor) => GPUBuffer,
  gamma: number,
): Promise<{ program: Program; z: GPUBuffer }> {
  const graph = new Graph();
  const { batch } = network;
  const elements = network.x.length / batch;
  const y = graph.external("y", network.x.shape);
  const sigma = graph.external("sigma", [batch]);
  const z = graph.external("z", network.x.shape);
  const yHat = graph.external("y_hat", network.x.shape);
  const sigmaHat = graph.external("sigma_hat", [batch]);
  graph.run("inject_noise", injectNoise, { batch, elements, gamma }, { y, sigma, z }, { yHat, sigmaHat });
  const externals = new Map([
    ["y", buffer(network.condX!)],
    ["sigma", buffer(network.condSigma!)],
    ["y_hat", buffer(network.x)],
    ["sigma_hat", buffer(network.sigma)],
  ]);
  const program = await Program.create(gpu, { label: "noise injection", graph, externals });
  return { program, z: program.buffer(z) };
}
