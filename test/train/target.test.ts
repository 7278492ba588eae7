import { expect, it } from "vitest";
import { gpuProfile } from "../../src/gpu/profiles.js";
import type { Target } from "../../src/graph/graph.js";
import { interpret } from "../../src/graph/interpret.js";
import { normalSource } from "../../src/graph/run-kernel.js";
import { BankLayout } from "../../src/train/bank.js";
import { type ConfigInput, networkTensors } from "../../src/train/source.js";
import { teacherGraph } from "../../src/train/teacher-round.js";
import { relativeError } from "../support/fixtures.js";
import { RawTensors } from "../support/raw-tensors.js";

const weights = new RawTensors("training/edm2-micro.safetensors");
const config = JSON.parse(weights.metadata.config!) as ConfigInput;

/** Gradients of a round in float64, as planned for this adapter, and the kernels of its nodes. */
async function gradients(target: Target) {
  const source = await networkTensors("micro", undefined, config);
  const sizes = {
    batch: 1,
    batchGpu: 1,
    recompute: false,
    rounds: 1,
    workers: 1,
    lossScaling: 1,
    precision: "f32" as const,
  };
  const settings = { ...sizes, pMean: -0.4, pStd: 1, dropout: 0 };
  const { graph } = teacherGraph(source.config, settings, new BankLayout(source.shapes), target);
  const random = normalSource(3);
  const given = new Map<string, ArrayLike<number>>();
  for (const { name, kind, length } of graph.tensors) {
    if (kind !== "external" || name.startsWith("gradient of")) continue;
    const known = weights.names.includes(name) ? weights.f32(name) : Float64Array.from({ length }, random);
    given.set(name, name === "sigma" ? Float64Array.of(0.7) : known);
  }
  const values = interpret(graph, given);
  const found = [...values].filter(([{ name }]) => name.startsWith("gradient of"));
  return {
    kernels: new Set(graph.nodes.map(({ kernel }) => kernel.name)),
    gradients: new Map(found.map(([{ name }, value]) => [name, value])),
  };
}

it("a round planned for a GPU chooses its convolutions by its figures, and means the same", async () => {
  const { rates, bindingBytes } = gpuProfile("gpu");
  const [plain, planned] = [await gradients({}), await gradients({ rates, bindingBytes })];
  expect(plain.kernels).not.toContain("implicit-gemm");
  expect(planned.kernels).toContain("implicit-gemm");
  expect(planned.gradients.size).toBeGreaterThan(20);
  for (const [name, value] of plain.gradients)
    expect(relativeError(planned.gradients.get(name)!, value), name).toBeLessThanOrEqual(1e-9);
});
