import { expect } from "vitest";
import { openCheckpoint } from "../../src/checkpoint/index.js";
import type { Gpu } from "../../src/gpu/device.js";
import { planMemory, verifyPlan } from "../../src/graph/plan.js";
import { Program } from "../../src/graph/program.js";
import { normalSource } from "../../src/graph/run-kernel.js";
import { nonFiniteNode } from "../../src/graph/trace.js";
import { WeightStore } from "../../src/layers/weights.js";
import { parseConfig } from "../../src/networks/edm2/config.js";
import { type BuildOptions, buildNetwork } from "../../src/networks/edm2/network.js";
import { fixturePath } from "./fixtures.js";

interface RunOptions extends BuildOptions {
  /** An input that is all NaN. */
  readonly poisoned?: "x" | "condX";
  /** Built otherwise, on the same weights before. */
  readonly beside?: BuildOptions;
}

/** A recorded network, built with these options, on three images that are always the same. `held`: bytes of its weights, beside others. */
export async function runNetwork(gpu: Gpu, file: string, { poisoned, beside, ...options }: RunOptions) {
  const checkpoint = await openCheckpoint(fixturePath(file));
  const { architecture, config } = parseConfig(checkpoint);
  const network = buildNetwork(architecture, config, 3, options);
  const { graph } = network;
  verifyPlan(graph, planMemory(graph, gpu.precision));
  const start = gpu.allocatedBytes;
  const store = new WeightStore(gpu, checkpoint);
  if (beside) await store.load(buildNetwork(architecture, config, 1, beside).graph);
  const loaded = gpu.allocatedBytes;
  // Twice at once.
  await Promise.all([store.load(graph), store.load(graph)]);
  const held = gpu.allocatedBytes - loaded;
  const program = await Program.create(gpu, { label: file, graph, constants: store });
  for (const [i, name] of (["x", "sigma", "labels", "condX", "condSigma"] as const).entries()) {
    const tensor = network[name];
    if (!tensor) continue;
    const random = normalSource(i + 1);
    const values = Float32Array.from({ length: tensor.length }, () => Math.abs(random()) + 0.1);
    gpu.write(program.buffer(tensor), name === poisoned ? values.fill(Number.NaN) : values);
  }
  await program.run();
  const out = await gpu.readF32(program.buffer(network.denoised), network.denoised.length);
  /** The node where the first value that is not finite came about. */
  const bad = poisoned && (await nonFiniteNode(program));
  program.destroy();
  store.destroy();
  // Readback and unused bindings stay.
  expect(gpu.allocatedBytes).toBeLessThan(start + 2 ** 15);
  await checkpoint.close();
  return { graph, out, bad, held };
}
