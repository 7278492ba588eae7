import { describe, expect, it } from "vitest";
import { mpSum } from "../../kernels/network/mp-sum/kernel.js";
import { overCopies } from "../../src/gpu/copies.js";
import type { Gpu } from "../../src/gpu/device.js";
import { gpuProfile, profileCaps } from "../../src/gpu/profiles.js";
import { composeSource, reflectSource } from "../../src/gpu/reflect.js";
import { Graph } from "../../src/graph/graph.js";
import { buildNetwork } from "../../src/networks/edm2/network.js";
import { networkPreset } from "../../src/networks/edm2/presets.js";
import { relativeError } from "../support/fixtures.js";
import { withTestGpu } from "../support/gpu.js";
import { runNetwork } from "../support/run-network.js";

const bits = (values: Float32Array) => Buffer.from(values.buffer, values.byteOffset, values.byteLength);

describe("the two encoders of a network in one node each layer", () => {
  let gpu: Gpu;
  withTestGpu((own) => (gpu = own));

  const run = (merged: boolean, options: Parameters<typeof runNetwork>[2] = {}) =>
    runNetwork(gpu, "ncvsd-tiny.safetensors", { merged, rates: gpu.caps.rates, ...options });

  it("gives the same bits with fewer nodes, in parts too, near those with the texts of a GPU, and names the node of a NaN", async () => {
    const apart = await run(false);
    expect(apart.out.every((v) => Number.isFinite(v))).toBe(true);
    const together = await run(true);
    expect(bits(together.out).equals(bits(apart.out))).toBe(true);
    expect(together.graph.nodes.length).toBeLessThan(0.8 * apart.graph.nodes.length);
    const cut = await run(true, { bindingBytes: 300 * 2 ** 10 });
    expect(cut.graph.nodes.length).toBeGreaterThan(together.graph.nodes.length);
    expect(bits(cut.out).equals(bits(apart.out))).toBe(true);
    expect((await run(true, { poisoned: "condX" })).bad).toBe("ctrl.precond_in");
    // Apart beside together, they take the same weights, but for those of three embeddings: here a node has noise and label together.
    const shared = await run(false, { beside: { rates: gpu.caps.rates } });
    expect(shared.held).toBe(3 * 4 * (768 + 576));
    expect(bits(shared.out).equals(bits(apart.out))).toBe(true);
    const own = gpu.caps;
    Object.assign(gpu, { caps: { ...own, software: false, rates: gpuProfile("gpu").rates } });
    try {
      const { graph, out } = await run(true);
      expect(graph.nodes.some(({ kernel, copies }) => kernel.name === "implicit-gemm" && copies === 2)).toBe(true);
      expect(relativeError(out, apart.out)).toBeLessThanOrEqual(1e-5);
    } finally {
      Object.assign(gpu, { caps: own });
    }
  });
});

describe("copies", () => {
  it("move every access to a buffer, inside indices and of every kernel that a network has in copies", async () => {
    const moved = overCopies(`@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<u32>;
@compute @workgroup_size(64) fn main(@builtin(global_invocation_id) id: vec3u) { y[id.x] = v.x[1] + u32(x[y[id.x] & 3u]); // x[0]
}`);
    expect(moved).toContain("y[copy_y + (id.x)] = v.x[1] + u32(x[copy_x + (y[copy_y + (id.x)] & 3u)]);");
    expect(moved).toContain("copy_x = copies_workgroup_id.z * (arrayLength(&x) / copies_num_workgroups.z);");
    const text = (body: string) =>
      `@group(0) @binding(1) var<storage> x: array<f32>;\nfn f(${body}\n@compute @workgroup_size(1) fn main() {}`;
    expect(() => overCopies(text("x: vec4f) { return x[0]; }"))).toThrow(/hides the buffer x/);
    expect(() => overCopies(text(") { let x = v; return x[0]; }"))).toThrow(/hides the buffer x/);
    expect(() => overCopies(text("x: f32) { return x; }"))).not.toThrow();
    expect(() => overCopies(text(") { g(&x); }"))).toThrow(/hides the buffer x/);

    const { architecture, config } = networkPreset("ncvsd-img512-xs");
    for (const name of ["gpu", "mobile", "software"]) {
      const profile = gpuProfile(name === "software" ? "gpu" : name);
      const software = name === "software";
      const rates = software ? undefined : profile.rates;
      const { graph } = buildNetwork(architecture, config, 1, { rates, bindingBytes: profile.bindingBytes });
      const caps = { ...profileCaps(profile, "f16"), software };
      for (const { kernel, params, copies } of graph.nodes) {
        if (copies === 1) continue;
        const { text } = await composeSource(kernel, kernel.variant(params as never, caps), "f16");
        expect(reflectSource(overCopies(text)), kernel.name).toEqual(reflectSource(text));
      }
    }
  });

  it("a node reads and writes as many of each", () => {
    const graph = new Graph();
    const two = graph.room("two", [4], "f32", 2);
    const one = graph.external("one", [4]);
    const params = { elements: 4, type: "f32" as const, t: 0.5, weightIndex: 0, weights: 0, clip: null };
    expect(() => graph.run("sum", mpSum, params, { a: two, b: one }, { out: [4] })).toThrow(
      /sum .*b needs 2 copies, but one has 1/,
    );
    expect(() => graph.part(two, 2)).toThrow(/two has no copies 2 to 2/);
    expect(graph.run("sum", mpSum, params, { a: two, b: two }, { out: [4] }).out.copies).toBe(2);
  });
});
