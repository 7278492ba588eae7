import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { attention } from "../../kernels/network/attention/kernel.js";
import { attentionBackwardKeys } from "../../kernels/network/attention-backward-keys/kernel.js";
import { attentionBackwardQueries } from "../../kernels/network/attention-backward-queries/kernel.js";
import { vjps } from "../../kernels/vjps.js";
import type { Gpu } from "../../src/gpu/device.js";
import { gradient } from "../../src/graph/gradient.js";
import { Graph } from "../../src/graph/graph.js";
import { interpret } from "../../src/graph/interpret.js";
import { Program } from "../../src/graph/program.js";
import { normalSource, prepareKernel } from "../../src/graph/run-kernel.js";
import { Recording, relativeError } from "../support/fixtures.js";
import { openTestGpu } from "../support/gpu.js";

let gpu: Gpu;
beforeAll(async () => {
  gpu = await openTestGpu();
});
afterAll(() => gpu.close());

describe("recorded gradients of attention", async () => {
  const r = await Recording.open("training/attention.safetensors");
  const config = r.meta<Record<string, { channels_per_head: number }>>("config")!;
  for (const [name, { channels_per_head: headDim }] of Object.entries(config)) {
    it(name, async () => {
      const [batch, channels, height, width] = r.shape(`${name}.act.attn_values.f64`) as [
        number,
        number,
        number,
        number,
      ];
      const params = { batch, heads: channels / headDim, headDim, pixels: height * width };
      const graph = new Graph();
      const qkv = graph.external("qkv", [batch, 3 * channels, height, width], "act");
      const g = graph.external("g", [batch, channels, height, width], "act");
      const { y } = graph.run("attention", attention, params, { qkv }, { y: g.shape });
      const dqkv = gradient(graph, new Map([[y, g]]), [qkv], { vjps }).get(qkv)!;
      for (const tensor of [y, dqkv]) graph.kept.add(tensor);
      const given = new Map([
        ["qkv", await r.truth(`${name}.act.attn_qkv`)],
        ["g", await r.truth(`${name}.act_grad.attn_values`)],
      ]);
      const exact = interpret(graph, given);
      const program = await Program.create(gpu, { label: name, graph });
      for (const tensor of [qkv, g]) gpu.write(program.buffer(tensor), given.get(tensor.name)!);
      await program.run();
      for (const [tensor, recorded] of [
        [y, await r.truth(`${name}.act.attn_values`)],
        [dqkv, await r.truth(`${name}.act_grad.attn_qkv`)],
      ] as const) {
        expect(relativeError(exact.get(tensor)!, recorded)).toBeLessThan(5e-7);
        expect(relativeError(await program.readTensor(tensor), recorded)).toBeLessThan(1e-6);
      }
      program.destroy();
    });
  }
});

describe("three images, several tiles", () => {
  const [heads, headDim, pixels] = [2, 33, 71];
  const channels = heads * headDim;
  const random = normalSource(7);
  const qkv = Float32Array.from({ length: 9 * channels * pixels }, random);
  const g = Float32Array.from({ length: 3 * channels * pixels }, random);
  /** The gradient for some of the images, on the GPU and in float64. */
  async function evaluate(first: number, batch: number) {
    const graph = new Graph();
    const x = graph.external("qkv", [batch, 3 * channels, pixels], "act");
    const seed = graph.external("g", [batch, channels, pixels], "act");
    const { y } = graph.run("attention", attention, { batch, heads, headDim, pixels }, { qkv: x }, { y: seed.shape });
    const dx = gradient(graph, new Map([[y, seed]]), [x], { vjps }).get(x)!;
    graph.kept.add(dx);
    const part = (values: Float32Array) => {
      const image = values.length / 3;
      return values.subarray(first * image, (first + batch) * image);
    };
    const program = await Program.create(gpu, { label: "images", graph });
    gpu.write(program.buffer(x), part(qkv));
    gpu.write(program.buffer(seed), part(g));
    await program.run();
    const found = await program.readTensor(dx);
    program.destroy();
    const given = new Map([
      ["qkv", part(qkv)],
      ["g", part(g)],
    ]);
    return { found, exact: interpret(graph, given).get(dx)! };
  }

  it("gradients of q, of k and of v, each by itself", async () => {
    const { found, exact } = await evaluate(0, 3);
    for (const row of [0, 1, 2]) {
      const rows = (values: ArrayLike<number>) =>
        Float64Array.from(values).filter((_, i) => Math.floor(i / pixels) % 3 === row);
      expect(relativeError(rows(found), rows(exact))).toBeLessThan(1e-6);
    }
  });
  it("the same bits whatever the batch", async () => {
    const together = (await evaluate(0, 3)).found;
    const alone = (await evaluate(1, 1)).found;
    const bytes = (values: Float32Array) => Buffer.from(values.buffer, values.byteOffset, values.byteLength);
    const image = together.length / 3;
    expect(bytes(alone).equals(bytes(together.subarray(image, 2 * image)))).toBe(true);
  });
});

describe("the form for adapters that are no software", () => {
  let other: Gpu;
  beforeAll(async () => {
    other = await openTestGpu();
    Object.assign(other, { caps: { ...other.caps, software: false } });
  });
  afterAll(() => other.close());

  // A width for each number of channels of an invocation.
  const names = ["odd sizes", "several tiles, the last not full", "16 x 16 pixels"];
  for (const kernel of [attentionBackwardQueries, attentionBackwardKeys]) {
    for (const name of names) {
      it(`${kernel.name}: ${name}`, async () => {
        const test = kernel.cases.find((one) => one.name === name)!;
        expect(kernel.variant(test.params, other.caps).key).toContain("tiled");
        const run = await prepareKernel(other, kernel, test);
        await run.program.run();
        const reference = kernel.reference(test.params, run.inputs);
        for (const [buffer, out] of Object.entries(await run.outputs()))
          expect(relativeError(out, reference[buffer]!), buffer).toBeLessThanOrEqual(kernel.tolerance.f32);
        run.program.destroy();
      });
    }
  }
});
