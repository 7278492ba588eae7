import { expect, it } from "vitest";
import { Graph, type Tensor } from "../../src/graph/graph.js";
import { interpret } from "../../src/graph/interpret.js";
import { relativeError } from "../../src/graph/run-kernel.js";
import { trained } from "../../src/layers/trained.js";
import { DEFAULTS } from "../../src/networks/edm2/config.js";
import { addCondition, addLogits, discriminatorTensors } from "../../src/networks/edm2/discriminator.js";
import { StoredRows } from "../support/effective-weights.js";
import { RawTensors } from "../support/raw-tensors.js";

const weights = new RawTensors("disc-tiny.safetensors");
const file = new RawTensors("disc-tiny.case.safetensors");
const { gamma: _gamma, init_sigma: _init, ...defaults } = DEFAULTS;
const config = { ...defaults, ...JSON.parse(weights.metadata.config!) };

it("has the reference's tensors", () => {
  const expected = discriminatorTensors(config);
  expect([...expected.keys()].sort()).toEqual([...weights.names].sort());
  for (const [name, shape] of expected)
    expect(
      shape.reduce((a, b) => a * b, 1),
      name,
    ).toBe(weights.values(name).length);
});

for (const [how, { layers, weights: effective }] of [
  ["for training", trained()],
  ["evaluated only", trained({ backward: false })],
] as const) {
  it(`gives the recorded logits and features in float64, ${how}`, async () => {
    const graph = new Graph();
    const taps = new Map<string, Tensor>();
    const batch = 3;
    const build = {
      graph,
      batch,
      layers,
      wants: () => false,
      tap: (name: string, t: Tensor) => void taps.set(name, t),
    };
    const [x, condX] = ["x", "cond_x"].map((name) => graph.external(name, [batch, 3, 16, 16])) as [Tensor, Tensor];
    const [sigma, condSigma] = ["sigma", "cond_sigma"].map((name) => graph.external(name, [batch])) as [Tensor, Tensor];
    const labels = graph.external("class_labels", [batch, 10]);
    const condition = addCondition(build, config, { x: condX, sigma: condSigma, labels });
    const logits = addLogits(build, config, condition, { x, sigma, labels });
    const given = new Map([
      ...weights.names.map((n) => [n, weights.values(n)] as const),
      ...file.names.map((n) => [n, file.values(n)] as const),
    ]);
    for (const [name, weight] of effective) {
      const { scales } = await StoredRows.of(undefined, weight, name, (of) => weights.values(of));
      given.set(weight.scale.name, Float64Array.from(scales));
    }
    const values = interpret(graph, given);
    expect(relativeError(values.get(logits)!, file.values("logits.f64"))).toBeLessThan(1e-6);
    for (const name of ["ctrl_x", "enc_x", "pooled"])
      expect(relativeError(values.get(taps.get(name)!)!, file.values(`act.${name}`)), name).toBeLessThan(2e-6);
  });
}
