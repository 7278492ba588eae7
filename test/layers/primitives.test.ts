import { describe, expect, it } from "vitest";
import { linearWeightLength, packLinearWeight } from "../../kernels/lib/linear-weight.js";
import { fourier } from "../../kernels/network/fourier/kernel.js";
import { linear } from "../../kernels/network/linear/kernel.js";
import { resample } from "../../kernels/network/resample/kernel.js";
import type { Gpu } from "../../src/gpu/device.js";
import { Graph, type Tensor } from "../../src/graph/graph.js";
import { Program } from "../../src/graph/program.js";
import { folded, mpConv } from "../../src/layers/folded.js";
import type { Build } from "../../src/layers/layers.js";
import { foldRecipe, WeightStore } from "../../src/layers/weights.js";
import { addBlock, type BlockSpec } from "../../src/networks/edm2/block.js";
import { Recording, relativeError } from "../support/fixtures.js";
import { withTestGpu } from "../support/gpu.js";

const TOLERANCE = 2e-5;

let gpu: Gpu;
withTestGpu((own) => (gpu = own));

/** Builds a small graph over recorded weights, runs it and returns the kept tensors. */
async function evaluate(
  source: { readF32(name: string): Promise<Float32Array> },
  inputs: Record<string, { values: Float32Array; shape: readonly number[] }>,
  batch: number,
  make: (build: Build, tensors: Record<string, Tensor>) => void,
): Promise<Map<string, Float32Array>> {
  const graph = new Graph();
  const taps = new Map<string, Tensor>();
  const build: Build = {
    graph,
    batch,
    layers: folded,
    wants: () => true,
    tap(name, tensor) {
      taps.set(name, tensor);
      graph.kept.add(tensor);
    },
  };
  const tensors = Object.fromEntries(
    Object.entries(inputs).map(([name, i]) => [name, graph.external(name, i.shape, name === "x" ? "act" : "f32")]),
  );
  make(build, tensors);
  const store = new WeightStore(gpu, source as never);
  await store.load(graph);
  const program = await Program.create(gpu, { label: "case", graph, constants: store.buffers });
  for (const [name, input] of Object.entries(inputs)) gpu.write(program.buffer(tensors[name]!), input.values);
  await program.run();
  const result = new Map<string, Float32Array>();
  for (const [name, tensor] of taps) result.set(name, await program.readTensor(tensor));
  program.destroy();
  store.destroy();
  return result;
}

function image(recording: Recording, name: string) {
  return recording.values(name).then((values) => ({ values, shape: recording.shape(name) }));
}

for (const file of ["block", "attention"]) {
  describe(`primitives/${file}`, async () => {
    const r = await Recording.open(`primitives/${file}.safetensors`);
    const config = r.meta<Record<string, Record<string, unknown>>>("config")!;
    const cases = r.names.filter((n) => n.endsWith(".x")).map((n) => n.slice(0, -2));
    expect(cases.length).toBeGreaterThan(3);
    for (const name of cases) {
      it(name, async () => {
        const x = await image(r, `${name}.x`);
        const [batch, channels, height, width] = x.shape as [number, number, number, number];
        const options = config[name]!;
        const option = <T>(key: string, otherwise: T) => (options[key] === undefined ? otherwise : (options[key] as T));
        const outChannels = option("out_channels", channels);
        const emb = r.has(`${name}.emb`)
          ? await image(r, `${name}.emb`)
          : { values: new Float32Array(batch), shape: [batch, 1] };
        const embLength = emb.shape[1]!;
        const hasEmb = r.has(`${name}.w.emb_linear.weight`);
        // The attention cases have no residual branch: its weights only have to exist.
        const source = {
          async readF32(tensor: string) {
            const key = `${name}.w.${tensor.slice("key.".length)}`;
            return r.has(key)
              ? r.values(key)
              : new Float32Array(tensor.endsWith("gain") ? 1 : outChannels * outChannels * 9);
          },
        };
        const heads = r.has(`${name}.w.attn_qkv.weight`)
          ? Math.floor(outChannels / option("channels_per_head", 64))
          : 0;
        const spec: BlockSpec = {
          flavour: option("flavor", "enc"),
          key: "key",
          inChannels: channels,
          outChannels,
          mode: option<string>("resample_mode", "keep") as BlockSpec["mode"],
          heads,
          resampleFilter: option("resample_filter", [1, 1]),
          resBalance: option("res_balance", 0.3),
          attnBalance: option("attn_balance", 0.3),
          clipAct: option<number | null>("clip_act", 256),
        };
        const taps = await evaluate(source, { x, emb }, batch, (build, t) => {
          const recipe = hasEmb
            ? foldRecipe("key.emb_linear.weight", outChannels, {
                gain: "key.emb_gain",
                pack: (folded) => packLinearWeight(folded, outChannels, embLength),
              })
            : { sources: [], make: () => new Float32Array(linearWeightLength(outChannels, embLength)) };
          const shape = [linearWeightLength(outChannels, embLength)];
          const w = build.graph.constant("emb_linear", shape, "weight", recipe);
          const params = { batch, inFeatures: embLength, outFeatures: outChannels, addOne: true };
          const c = build.graph.run("emb_linear", linear, params, { x: t.emb, w }, { y: [batch, outChannels] }).y;
          build.tap("b.emb_linear", c);
          addBlock(build, "b", spec, { tensor: t.x!, channels, height, width }, { c, stride: outChannels, offset: 0 });
        });
        const errors: Record<string, number> = { out: relativeError(taps.get("b")!, await r.truth(`${name}.out`)) };
        for (const act of r.names.filter((n) => n.startsWith(`${name}.act.`) && !n.endsWith(".f64"))) {
          const layer = act.slice(`${name}.act.`.length);
          const values = taps.get(`b.${layer}`);
          expect(values, layer).toBeDefined();
          const raw = layer === "emb_linear" ? values!.map((v) => v - 1) : values!;
          errors[layer] = relativeError(raw, await r.truth(act));
        }
        for (const [layer, error] of Object.entries(errors)) expect(error, layer).toBeLessThanOrEqual(TOLERANCE);
      });
    }
  });
}

describe("primitives/mp_conv", async () => {
  const r = await Recording.open("primitives/mp_conv.safetensors");
  for (const name of ["k1", "k1_gain", "k3", "k3_gain", "k3_big"]) {
    it(name, async () => {
      const x = await image(r, `${name}.x`);
      const [batch, inChannels, height, width] = x.shape as [number, number, number, number];
      const [outChannels, , kernel] = r.shape(`${name}.weight`) as [number, number, 1 | 3];
      const gain = r.has(`${name}.gain`) ? { gain: `${name}.gain` } : {};
      const taps = await evaluate({ readF32: (n) => r.values(n) }, { x }, batch, (build, t) => {
        const spec = {
          inChannels,
          outChannels,
          height,
          width,
          kernel,
          weight: `${name}.weight`,
          ...gain,
          epilogue: { kind: "none" as const },
        };
        build.tap("y", mpConv(build, "conv", spec, t.x!));
      });
      expect(relativeError(taps.get("y")!, await r.truth(`${name}.out`))).toBeLessThanOrEqual(TOLERANCE);
    });
  }
  for (const name of ["lin", "lin_gain"]) {
    it(name, async () => {
      const [batch, inFeatures] = r.shape(`${name}.x`) as [number, number];
      const [outFeatures] = r.shape(`${name}.weight`) as [number];
      const gain = r.has(`${name}.gain`) ? `${name}.gain` : undefined;
      const emb = await image(r, `${name}.x`);
      const taps = await evaluate({ readF32: (n) => r.values(n) }, { emb }, batch, (build, t) => {
        const pack = (folded: Float32Array) => packLinearWeight(folded, outFeatures, inFeatures);
        const recipe = foldRecipe(`${name}.weight`, outFeatures, { gain, pack });
        const w = build.graph.constant("w", [linearWeightLength(outFeatures, inFeatures)], "weight", recipe);
        const params = { batch, inFeatures, outFeatures, addOne: false };
        build.tap("y", build.graph.run("linear", linear, params, { x: t.emb, w }, { y: [batch, outFeatures] }).y);
      });
      expect(relativeError(taps.get("y")!, await r.truth(`${name}.out`))).toBeLessThanOrEqual(TOLERANCE);
    });
  }
});

describe("primitives/resample and mp_fourier", () => {
  it("resample, every size, filter and direction", async () => {
    const r = await Recording.open("primitives/resample.safetensors");
    const outs = r.names.filter((n) => /\.(up|down)$/.test(n));
    expect(outs.length).toBe(12);
    for (const out of outs) {
      const [size, filter, mode] = out.split(".") as [string, string, "up" | "down"];
      const x = await image(r, `${size}.x`);
      const [batch, channels, height, width] = x.shape as [number, number, number, number];
      const params = { batch, channels, height, width, filter: [...filter.slice(1)].map(Number), mode };
      const taps = await evaluate({ readF32: (n) => r.values(n) }, { x }, batch, (build, t) => {
        build.tap("y", build.graph.run("resample", resample, params, { x: t.x }, { y: r.shape(out) }).y);
      });
      expect(relativeError(taps.get("y")!, await r.truth(out)), out).toBeLessThanOrEqual(1e-6);
    }
  });

  it("mp_fourier at the recorded arguments", async () => {
    const r = await Recording.open("primitives/mp_fourier.safetensors");
    const v = await r.values("x");
    const freqs = await image(r, "freqs");
    const channels = freqs.values.length;
    // The kernel takes sigma and forms v = ln(sigma) / 4 itself; arguments that no f32 sigma reaches are left out.
    const rows = [...v.keys()].filter((i) => Math.abs(v[i]!) < 8);
    expect(rows.length).toBeGreaterThan(2);
    const sigma = { values: Float32Array.from(rows, (i) => Math.exp(4 * v[i]!)), shape: [rows.length] };
    const phases = await image(r, "phases");
    const taps = await evaluate({ readF32: (n) => r.values(n) }, { sigma, freqs, phases }, rows.length, (build, t) => {
      const inputs = { sigma: t.sigma, freqs: t.freqs, phases: t.phases };
      build.tap(
        "y",
        build.graph.run("fourier", fourier, { batch: rows.length, channels }, inputs, { y: [rows.length, channels] }).y,
      );
    });
    const out = await r.values("out");
    const wanted = rows.flatMap((i) => [...out.subarray(i * channels, (i + 1) * channels)]);
    expect(relativeError(taps.get("y")!, wanted)).toBeLessThanOrEqual(TOLERANCE);
  });
});
