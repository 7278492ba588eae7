import { describe, expect, it } from "vitest";
import type { Gpu } from "../../src/gpu/device.js";
import { tensorBytes } from "../../src/graph/graph.js";
import { BINDING_BYTES, parts } from "../../src/layers/convolution.js";
import { buildNetwork } from "../../src/networks/edm2/network.js";
import { networkPresets } from "../../src/networks/edm2/presets.js";
import { relativeError } from "../support/fixtures.js";
import { withTestGpu } from "../support/gpu.js";
import { runNetwork } from "../support/run-network.js";

describe("cutting into parts", () => {
  it("covers everything once, in multiples of the unit, within the limit", () => {
    expect(parts(20, 8, 1000, (n) => n)).toEqual([{ first: 0, count: 20 }]);
    expect(parts(20, 8, 16, (n) => n)).toEqual([
      { first: 0, count: 16 },
      { first: 16, count: 4 },
    ]);
    for (const total of [1, 7, 8, 9, 63, 64, 100, 1792]) {
      for (const unit of [1, 4, 8]) {
        for (const limit of [1, 8, 30, 64, 1000]) {
          const cut = parts(total, unit, limit, (n) => n);
          expect(cut.reduce((sum, { count }) => sum + count, 0)).toBe(total);
          cut.forEach(({ first, count }, i) => {
            expect(first).toBe(cut.slice(0, i).reduce((sum, part) => sum + part.count, 0));
            expect(count).toBeGreaterThan(0);
            expect(count <= Math.max(limit, unit)).toBe(true);
            if (i < cut.length - 1) expect(count % unit).toBe(0);
          });
        }
      }
    }
  });
});

describe("no published network needs more than the binding that every adapter has", () => {
  for (const { name, architecture, config } of networkPresets) {
    it(name, () => {
      const { graph } = buildNetwork(architecture, config, 1);
      const largest = graph.tensors.reduce((a, b) => (tensorBytes(b, "f32") > tensorBytes(a, "f32") ? b : a));
      expect(tensorBytes(largest, "f32"), largest.name).toBeLessThanOrEqual(BINDING_BYTES);
      // Nothing is left to the direct sum because it would not fit otherwise.
      expect(graph.nodes.filter((node) => node.kernel.name === "conv").map((node) => node.name)).toEqual([]);
    });
  }
});

describe("a network in parts", () => {
  let gpu: Gpu;
  withTestGpu((own) => (gpu = own));

  const run = (file: string, options: Parameters<typeof runNetwork>[2]) => runNetwork(gpu, file, options);
  const bits = (values: Float32Array) => Buffer.from(values.buffer, values.byteOffset, values.byteLength);

  for (const [file, bindingBytes] of [
    ["edm2-tiny.safetensors", 300 * 2 ** 10],
    ["ncvsd-tiny.safetensors", 300 * 2 ** 10],
  ] as const) {
    it(`${file}: the same bits, and no buffer that is cut exceeds the limit`, async () => {
      const whole = await run(file, {});
      const cut = await run(file, { bindingBytes });
      expect(whole.out.every((v) => Number.isFinite(v))).toBe(true);
      expect(bits(cut.out).equals(bits(whole.out))).toBe(true);

      const names = cut.graph.nodes.map((node) => node.name);
      const layersOf = (pattern: RegExp) => names.filter((n) => pattern.test(n)).map((n) => n.replace(pattern, ""));
      const inBlocks = layersOf(/\.input 1\/\d+$/);
      expect(inBlocks.length).toBeGreaterThan(0);
      const inChannels = layersOf(/\.gemm 1\/\d+$/).filter((layer) => !inBlocks.includes(layer));
      expect(inChannels.length).toBeGreaterThan(0);
      expect(whole.graph.nodes.some((node) => / \d\//.test(node.name))).toBe(false);
      const cuttable = cut.graph.tensors.filter((t) => t.kind === "constant" || /\.(input|gemm)/.test(t.name));
      for (const tensor of cuttable) expect(tensorBytes(tensor, "f32"), tensor.name).toBeLessThanOrEqual(bindingBytes);
    });
  }

  it("a limit that not even 1x1 weights meet: the merged linear layers are cut too, and rounding alone differs", async () => {
    const whole = await run("ncvsd-tiny.safetensors", {});
    const cut = await run("ncvsd-tiny.safetensors", { bindingBytes: 2 ** 13 });
    const names = cut.graph.nodes.map((node) => node.name);
    // Some blocks and some channels of a layer at a time.
    expect(names.some((name) => /\.gemm \d+\/\d+ \d+\/\d+$/.test(name))).toBe(true);
    for (const part of ["ctrl+enc.enc", "dec.dec"]) {
      expect(names.some((name) => name.startsWith(`${part}.emb_linear 2/`))).toBe(true);
    }
    expect(cut.graph.nodes.some(({ name, kernel }) => /attn_qkv 2\/\d$/.test(name) && kernel.name === "conv")).toBe(
      true,
    );
    expect(relativeError(cut.out, whole.out)).toBeLessThanOrEqual(1e-6);
  });

  it("the direct sum in parts: the same bits", async () => {
    const everyLayer = (): ReadonlyMap<string, string> => {
      const direct = new Map<string, string>();
      direct.get = (key) => (key.startsWith("conv 3x3") ? "direct" : undefined);
      return direct;
    };
    const whole = await run("edm2-tiny.safetensors", { tuning: everyLayer() });
    const cut = await run("edm2-tiny.safetensors", { tuning: everyLayer(), bindingBytes: 2 ** 15 });
    expect(cut.graph.nodes.some((node) => node.kernel.name === "conv" && / 2\/\d/.test(node.name))).toBe(true);
    expect(bits(cut.out).equals(bits(whole.out))).toBe(true);
  });

  it("a value that is not finite is found where it enters, not in what a part not yet written held before", async () => {
    // The first encoder does not see x: it is clean, but works in memory that the rest of the first run left full of NaN.
    const { bad } = await run("ncvsd-tiny.safetensors", { bindingBytes: 2 ** 15, poisoned: "x" });
    expect(bad).toBe("enc.precond_in");
  });
});
