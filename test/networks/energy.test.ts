import { describe, expect, test } from "vitest";
import type { Gpu } from "../../src/gpu/device.js";
import { type DiscoConfig, discoTensors } from "../../src/networks/energy/config.js";
import { loadDisco } from "../../src/networks/energy/model.js";
import { fixturePath, Recording, relativeError } from "../support/fixtures.js";
import { withTestGpu } from "../support/gpu.js";

let gpu: Gpu;
withTestGpu((opened) => {
  gpu = opened;
});

const weights = (name: string) => fixturePath(`disco/${name}.safetensors`);
const recorded = (name: string) => Recording.open(`disco/${name}.case.safetensors`);

/** The parameters of a network without a weight file: entry i of tensor t by test/fixtures/disco/README.md's formula. */
function formulaTensors(config: DiscoConfig): Map<string, Float32Array> {
  const named = [...discoTensors(config)].map(([name, shape], t) => {
    const scale = name.endsWith("weight") ? Math.sqrt(3 / shape[1]!) : 0.1;
    const middle = /alpha|gamma/.test(name) ? 1 : 0;
    // The low 32 bits of the product: unsigned, as a share of 2^32.
    const share = (i: number) => (Math.imul(i + 1 + 7919 * t, 2654435761) >>> 0) / 2 ** 32;
    const length = shape.reduce((a, b) => a * b, 1);
    return [name, Float32Array.from({ length }, (_, i) => middle + scale * (2 * share(i) - 1))] as const;
  });
  return new Map(named);
}

async function inputs(recording: Recording) {
  const labels = recording.has("label") ? { labels: await recording.values("label") } : {};
  return { x: await recording.values("x"), ...labels };
}

describe("outputs as recorded in float64", () => {
  for (const name of ["energy-d2k32", "random-d5k26-label", "random-d2k20-label-direct"]) {
    test(name, async () => {
      const recording = await recorded(name);
      const model = await loadDisco(gpu, weights(name));
      const { z, phi, output, score } = await model.evaluate(await inputs(recording));
      expect(relativeError(output, await recording.truth("out"))).toBeLessThan(2e-6);
      if (model.energy) {
        expect(relativeError(z, await recording.truth("z"))).toBeLessThan(2e-6);
        expect(relativeError(phi!, await recording.truth("phi"))).toBeLessThan(2e-6);
      } else expect(z).toEqual(output);
      const loss = { target: await recording.values("target"), weight: await recording.values("weight") };
      const result = await model.gradients({ ...(await inputs(recording)), ...loss });
      expect(result.loss / (await recording.truth("loss"))[0]!).toBeCloseTo(1, 5);
      const errors = new Map<string, number>();
      for (const [parameter, values] of result.gradients)
        errors.set(parameter, relativeError(values, await recording.truth(`grad.${parameter}`)));
      expect(errors.size).toBe(47);
      for (const [parameter, error] of errors) expect(error, parameter).toBeLessThan(5e-6);
      if (model.energy) {
        const direction = await recording.values("direction");
        const product = await model.hvp({ ...(await inputs(recording)), direction });
        expect(relativeError(product, await recording.truth("hvp"))).toBeLessThan(5e-6);
      } else
        await expect(
          model.hvp({ x: new Float32Array(2), labels: [1], direction: new Float32Array(2) }),
        ).rejects.toThrow("no Hessian");
      if (!model.conditional) expect(score[1]! * 0.01).toBeCloseTo(output[1]!, 6);
      model.close();
    });
  }
});

test("sums of 250 terms: as recorded in float64, and the same bits of a row alone and among others", async () => {
  const recording = await recorded("formula-d10k256");
  const config = recording.meta<DiscoConfig>("config")!;
  const model = await loadDisco(gpu, formulaTensors(config));
  const x = await recording.values("x");
  const { phi, output } = await model.evaluate({ x });
  expect(relativeError(output, await recording.truth("out"))).toBeLessThan(2e-6);
  expect(relativeError(phi!, await recording.truth("phi"))).toBeLessThan(2e-6);
  const product = await model.hvp({ x, direction: await recording.values("direction") });
  expect(relativeError(product, await recording.truth("hvp"))).toBeLessThan(5e-6);
  const many = Float32Array.from({ length: 7 * x.length }, (_, i) => x[i % x.length]!);
  const among = await model.evaluate({ x: many });
  expect(among.output.slice(-x.length)).toEqual(output);
  model.close();
});

test("a row's bits depend on no other row, in chunks or not; sessions take the caller's buffers", async () => {
  const model = await loadDisco(gpu, weights("energy-d2k32"));
  const points = (rows: number) => Float32Array.from({ length: 2 * rows }, (_, i) => 3 * Math.sin(i));
  const few = await model.evaluate({ x: points(7) });
  const rows = 4099;
  const x = gpu.storage("points", 8 * rows);
  const session = await model.open(rows, { x });
  expect(session.x).toBe(x);
  gpu.write(x, points(rows));
  const encoder = gpu.device.createCommandEncoder();
  const pass = encoder.beginComputePass();
  session.encode(pass);
  pass.end();
  gpu.device.queue.submit([encoder.finish()]);
  expect((await gpu.readF32(session.output, 14)).every((v, i) => v === few.output[i])).toBe(true);
  expect((await gpu.readF32(session.phi!, 7)).every((v, i) => v === few.phi![i])).toBe(true);
  const one = await model.evaluate({ x: points(rows).subarray(2 * 4098) });
  expect(await gpu.readF32(session.output, 2, 2 * 4098)).toEqual(one.output);
  session.release();
  gpu.destroyBuffer(x);
  model.close();
});

describe("what cannot be right is said", () => {
  test("tensors in memory", async () => {
    await expect(loadDisco(gpu, new Map())).rejects.toThrow("loadDisco: the tensor out.bias is missing");
    const tensors = new Map<string, Float32Array>();
    const file = await Recording.open("disco/energy-d2k32.safetensors");
    for (const name of file.names) tensors.set(name, await file.values(name));
    tensors.set("blocks.2.fc0.bias", new Float32Array(3));
    await expect(loadDisco(gpu, tensors)).rejects.toThrow("blocks.2.fc0.bias must be a Float32Array of 32 values");
  });

  test("rows and labels", async () => {
    const model = await loadDisco(gpu, weights("energy-d2k32"));
    const x = new Float32Array(3);
    await expect(model.evaluate({ x })).rejects.toThrow("rows of 2 coordinates, got 3 values");
    await expect(model.evaluate({ x: [0, Number.NaN] })).rejects.toThrow("x has NaN at index 1");
    const nested = await model.evaluate({
      x: [
        [1, 2],
        [0, 1],
      ],
    });
    expect(nested).toEqual(await model.evaluate({ x: Float64Array.of(1, 2, 0, 1) }));
    await expect(model.evaluate({ x: new Float32Array(4), labels: [1] })).rejects.toThrow("takes no labels");
    model.close();
    const labelled = await loadDisco(gpu, weights("random-d5k26-label"));
    await expect(labelled.evaluate({ x: new Float32Array(5) })).rejects.toThrow("needs labels, one for each of 1 rows");
    labelled.close();
    await expect(labelled.open(4)).rejects.toThrow("closed");
  });

  test("another network's file", async () => {
    await expect(loadDisco(gpu, fixturePath("edm2-tiny.safetensors"))).rejects.toThrow("disco-mlp");
  });
});
