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
import { prepareKernel } from "../../src/graph/run-kernel.js";
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
