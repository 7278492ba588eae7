import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { read, write } from "../../kernels/lib/buffers.js";
import { elementwise } from "../../kernels/lib/elementwise.js";
import { attention } from "../../kernels/network/attention/kernel.js";
import { dropout } from "../../kernels/network/dropout/kernel.js";
import type { DropoutParams } from "../../kernels/network/dropout/reference.js";
import type { Gpu } from "../../src/gpu/device.js";
import type { Node, Tensor } from "../../src/graph/graph.js";
import type { Build } from "../../src/layers/layers.js";
import { trained } from "../../src/layers/trained.js";
import { addBlock } from "../../src/networks/edm2/block.js";
import { openTestGpu } from "../support/gpu.js";
import { RawTensors } from "../support/raw-tensors.js";
import { RecordedCase, Verdict } from "../support/recorded-case.js";

let device: Gpu;
beforeAll(async () => {
  device = await openTestGpu();
});
afterAll(() => device.close());

interface BlockArguments {
  readonly out_channels: number;
  readonly flavor: "enc" | "dec";
  readonly resample_mode?: "up" | "down";
  readonly resample_filter?: number[];
  readonly attention?: boolean;
  readonly channels_per_head?: number;
  readonly res_balance?: number;
  readonly attn_balance?: number;
  readonly clip_act?: number | null;
  readonly dropout?: number;
  readonly train?: boolean;
}

/** Dropout with a mask that is given, 1 where a value stays. */
const masked = elementwise<{ elements: number; probability: number }>({
  name: "dropout-given-mask",
  group: "network",
  source: `
    struct Params {
      threads: u32,
      probability: f32,
    }
    @group(0) @binding(0) var<uniform> p: Params;
    @group(0) @binding(1) var<storage, read> x: array<f32>;
    @group(0) @binding(2) var<storage, read> mask: array<f32>;
    @group(0) @binding(3) var<storage, read_write> y: array<f32>;
    fn each(i: u32) { y[i] = x[i] * mask[i] / (1.0 - p.probability); }`,
  counts: ({ elements }) => ({ elements }),
  buffers: ({ elements }) => [read("x", elements, "act"), read("mask", elements), write("y", elements, "act")],
  uniforms: ({ probability }) => ({ probability }),
  reference: ({ probability }, { x, mask }) => ({
    y: Float64Array.from(x!, (v, i) => (v * mask![i]!) / (1 - probability)),
  }),
  cases: [],
  tolerance: { f32: 0, f16: 0 },
});

/** Names of the recorded layers' outputs by those of the block's intermediates. */
const LAYERS = {
  "conv_res0.raw": "conv_res0",
  "conv_res1.raw": "conv_res1",
  conv_skip: "conv_skip",
  attn_qkv: "attn_qkv",
  attn_values: "attn_values",
  "attn_proj.raw": "attn_proj",
} as const;

/** A recorded block: its output, the outputs of its layers, and all gradients, by recorded name. */
async function replayBlock(gpu: Gpu | undefined, file: RawTensors, name: string, spec: BlockArguments) {
  const replay = new RecordedCase(gpu, file, name);
  const x = replay.input("x");
  const [batch, inChannels, height, width] = x.shape as [number, number, number, number];
  // A single row of the embedding serves all images: rows are equal here, and their gradients are added.
  const [rows, embedding] = replay.shape("emb") as [number, number];
  const emb = replay.graph.external("emb", [batch, embedding]);
  const row = replay.values("emb");
  replay.given.set(
    "emb",
    rows === batch ? row : Float64Array.from({ length: emb.length }, (_, i) => row[i % embedding]!),
  );
  const keys = replay.graph.external("keys", [batch], "u32");
  replay.given.set("keys", new Float64Array(batch));
  const given = spec.dropout ? { mask: replay.input("mask", "f32"), probability: spec.dropout } : undefined;
  const dropouts = given && { probability: given.probability, keys, draw: 3 };
  const { layers, rules, stored, weights } = trained({ dropout: dropouts });
  let swapped = 0;
  const swap = (node: Node): Node => {
    if (!given || node.kernel !== dropout) return node;
    swapped++;
    const { probability } = node.params as DropoutParams;
    const { x } = node.reads as { x: Tensor };
    return { ...node, kernel: masked, params: { elements: x.length, probability }, reads: { x, mask: given.mask } };
  };
  const taps = new Map<string, Tensor>();
  const build: Build = {
    graph: replay.graph,
    batch,
    layers,
    wants: () => false,
    tap: (tap, tensor) => taps.set(tap.replace("block.", ""), tensor),
  };
  const { out_channels: outChannels, flavor, resample_mode: mode = "keep" } = spec;
  const scales = layers.scales(build, "scales", [{ key: "w", outFeatures: outChannels }], emb)[0]!;
  const made = addBlock(
    build,
    "block",
    {
      flavour: flavor,
      key: "w",
      inChannels,
      outChannels,
      mode,
      heads: spec.attention ? Math.floor(outChannels / spec.channels_per_head!) : 0,
      resampleFilter: spec.resample_filter ?? [1, 1],
      resBalance: spec.res_balance ?? 0.3,
      attnBalance: spec.attn_balance ?? 0.3,
      clipAct: spec.clip_act === undefined ? 256 : spec.clip_act,
    },
    { tensor: x, channels: inChannels, height, width },
    scales,
  );
  for (const key of stored.keys()) replay.given.set(key, replay.values(key));
  const train = spec.train !== false;
  const gradients = new Map(
    [...stored, ["x", x] as const, ["emb", emb] as const].map(([key, t]) => [`grad.${key}`, t]),
  );
  const forward = new Map<string, Tensor>();
  for (const [tap, layer] of Object.entries(LAYERS)) {
    const tensor = taps.get(tap);
    if (!tensor) continue;
    forward.set(`act.${layer}`, tensor);
    gradients.set(`act_grad.${layer}`, tensor);
  }
  forward.set("act.emb_linear", scales.c);
  gradients.set("act_grad.emb_linear", scales.c);
  const found = await replay.run({ out: made.tensor, forward, gradients, rules, weights, train, swap });
  // Forward and backward.
  expect(swapped).toBe(given ? 2 : 0);
  // Our node adds 1.
  const c = Array.from(found.get("act.emb_linear")!, (v) => v - 1);
  found.set("act.emb_linear", c.slice(0, (rows * c.length) / batch));
  if (rows !== batch)
    for (const key of ["grad.emb", "act_grad.emb_linear"]) {
      const values = Array.from(found.get(key)!);
      const sums = new Float64Array(values.length / batch);
      values.forEach((v, i) => {
        sums[i % sums.length]! += v;
      });
      found.set(key, sums);
    }
  return found;
}

for (const where of ["float64 reference", "GPU"] as const) {
  describe(`recorded blocks, ${where}`, () => {
    for (const name of ["primitives/block", "attention"]) {
      const file = new RawTensors(`training/${name}.safetensors`);
      const cases = JSON.parse(file.metadata.config!) as Record<string, BlockArguments>;
      for (const [block, spec] of Object.entries(cases))
        it(block, async () => {
          const verdict = new Verdict(file, where === "GPU" ? undefined : 1e-12);
          const found = await replayBlock(where === "GPU" ? device : undefined, file, block, spec);
          for (const [key, values] of found) verdict.compare(`${block}.${key}`, values);
          const recorded = file.names.filter((key) => key.startsWith(`${block}.`) && key.endsWith(".f64"));
          expect(recorded.filter((key) => !found.has(key.slice(block.length + 1, -4)))).toEqual([]);
          verdict.end(`${block}, ${where}`);
        });
    }
    it("attention, 3 heads of 24, 143 pixels", async () => {
      const file = new RawTensors("training/large.safetensors");
      const replay = new RecordedCase(where === "GPU" ? device : undefined, file, "large.attention");
      const x = replay.input("x");
      const [batch, channels, height, width] = x.shape as [number, number, number, number];
      const { layers, rules, stored, weights } = trained();
      const build: Build = { graph: replay.graph, batch, layers, wants: () => false, tap() {} };
      const layer = { height, width, inChannels: channels, kernel: 1 as const };
      const inner = { ...layer, outChannels: 3 * channels, weight: "w.attn_qkv.weight" };
      const qkv = layers.conv(build, "qkv", inner, x);
      const params = { batch, heads: 3, headDim: 24, pixels: height * width };
      const { y } = replay.graph.run("attention", attention, params, { qkv }, { y: x.shape });
      const proj = { ...layer, outChannels: channels, weight: "w.attn_proj.weight" };
      const out = layers.convSummed(build, "proj", proj, { r: x, t: 1, clip: null }, y);
      for (const key of stored.keys()) replay.given.set(key, replay.values(key));
      const gradients = new Map([["grad.x", x], ...[...stored].map(([key, t]) => [`grad.${key}`, t] as const)]);
      const verdict = new Verdict(file, where === "GPU" ? undefined : 1e-7);
      for (const [key, values] of await replay.run({ out, gradients, rules, weights }))
        verdict.compare(`large.attention.${key}`, values);
      verdict.end(`large.attention, ${where}`);
    });
  });
}
