import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { kernels } from "../../kernels/index.js";
import { type AnyKernel, type Caps, type Precision, toleranceOf } from "../../src/gpu/contract.js";
import type { Gpu } from "../../src/gpu/device.js";
import { composeSource, packUniforms, reflectSource } from "../../src/gpu/reflect.js";
import { prepareKernel, relativeError } from "../../src/graph/run-kernel.js";
import { openTestGpu } from "../support/gpu.js";
import { parsedReflection } from "../support/reflect.js";

const anyGpu: Caps = {
  precision: "f32",
  subgroups: false,
  subgroupMinSize: 0,
  subgroupMaxSize: 0,
  software: false,
  maxWorkgroupSize: 256,
  maxWorkgroupsPerDimension: 65535,
};

describe("contracts (no GPU)", () => {
  /** Texts of which a parser of WGSL has said the same as our reader. */
  const parsed = new Set<string>();
  it("the reader of declarations refuses what it does not know", () => {
    const text = (member: string) => `struct P { n: u32, ${member} };\n@group(0) @binding(0) var<uniform> p: P;`;
    const all = text("// no: f32,\n a: vec3f, b: f32, c: vec2u, /* d: u32, */ d: array<vec4i, 3>");
    expect(reflectSource(all)).toEqual(parsedReflection(all));
    expect(() => reflectSource(text("m: mat4x4f"))).toThrow(/unsupported type/);
    expect(() => reflectSource(text("m: array<f32, 4>"))).toThrow(/unsupported type/);
  });
  for (const kernel of kernels) {
    it(`${kernel.name}: buffers and uniforms match the WGSL in every case`, async () => {
      expect(kernel.cases.length).toBeGreaterThan(1);
      for (const caps of [
        anyGpu,
        { ...anyGpu, software: true, subgroups: true, subgroupMinSize: 8, subgroupMaxSize: 8 },
      ]) {
        for (const test of kernel.cases) {
          kernel.check(test.params);
          const variant = kernel.variant(test.params, caps);
          const { text } = await composeSource(kernel, variant, "f32");
          const reflection = reflectSource(text);
          if (!parsed.has(text)) expect(reflection).toEqual(parsedReflection(text));
          parsed.add(text);
          const uses = kernel.buffers(test.params);
          expect(reflection.storage.map((b) => b.name)).toEqual(uses.map((u) => u.name));
          expect(reflection.storage.map((b) => b.binding)).toEqual(uses.map((_, i) => i + 1));
          // As many as every adapter binds.
          expect(reflection.storage.length).toBeLessThanOrEqual(8);
          expect(reflection.storage.map((b) => b.writable)).toEqual(uses.map((u) => u.access !== "read"));
          packUniforms(kernel.name, reflection, kernel.uniforms(test.params));
          for (const size of kernel.grid(test.params, variant, caps)) {
            expect(size).toBeGreaterThan(0);
            expect(size).toBeLessThanOrEqual(caps.maxWorkgroupsPerDimension);
          }
          const cost = kernel.cost(test.params, 4, 4);
          expect(cost.flops).toBeGreaterThanOrEqual(0);
          expect(cost.bytes).toBeGreaterThan(0);
        }
      }
    });
  }
});

/** Those in which something is stored in halves then: the others have been run in f32. */
function casesOf(kernel: AnyKernel, precision: Precision) {
  const halves = precision === "f16" ? ["act", "weight"] : ["weight"];
  const differs = ({ params }: (typeof kernel.cases)[number]) =>
    kernel.buffers(params).some(({ type }) => halves.includes(type!));
  return precision === "f32" ? kernel.cases : kernel.cases.filter(differs);
}

for (const precision of ["f32", "f16", "f16-weights"] as const satisfies readonly Precision[]) {
  describe(`against float64, ${precision} storage`, () => {
    let gpu: Gpu;
    beforeAll(async () => {
      const probe = await openTestGpu();
      const able = precision !== "f16" || probe.features.includes("shader-f16");
      probe.close();
      // SwiftShader has no f16: there the f16 cases run in f32, so that they test something everywhere.
      gpu = await openTestGpu({ precision: able ? precision : "f32" });
    });
    afterAll(() => gpu.close());

    for (const kernel of kernels) {
      for (const test of casesOf(kernel, precision)) {
        it(`${kernel.name}: ${test.name}`, async () => {
          const run = await prepareKernel(gpu, kernel, test);
          await run.program.run();
          const first = await run.outputs();
          const reference = kernel.reference(test.params, run.inputs);
          for (const [name, out] of Object.entries(first)) {
            const ref = reference[name];
            expect(ref, `the reference gives no ${name}`).toBeDefined();
            if (out instanceof Uint32Array) expect([...out]).toEqual([...ref!]);
            else
              expect(relativeError(out, ref!), name).toBeLessThanOrEqual(
                toleranceOf(kernel, test.params, name, gpu.precision),
              );
          }
          run.poison();
          await run.program.run();
          const second = await run.outputs();
          for (const name of Object.keys(first)) {
            expect(Buffer.from(second[name]!.buffer).equals(Buffer.from(first[name]!.buffer)), `${name} repeats`).toBe(
              true,
            );
          }
          run.program.destroy();
        });
      }
      // With the pipelines of its cases.
      if (precision === "f32") it(`${kernel.name}: a grid folded into two dimensions`, () => folded(gpu, kernel));
    }
  });
}

/** As if the device allowed 3 workgroups in a row: past 65,535 workgroups this is what happens on every device. */
async function folded(gpu: Gpu, kernel: AnyKernel): Promise<void> {
  const own = gpu.caps;
  Object.assign(gpu, { caps: { ...own, maxWorkgroupsPerDimension: 3 } });
  try {
    const variants = new Map(kernel.cases.map((test) => [kernel.variant(test.params, gpu.caps).key, test]));
    for (const test of variants.values()) {
      const run = await prepareKernel(gpu, kernel, test);
      await run.program.run();
      const reference = kernel.reference(test.params, run.inputs);
      for (const [name, out] of Object.entries(await run.outputs())) {
        const error =
          out instanceof Uint32Array
            ? Number(out.some((v, i) => v !== reference[name]![i]))
            : relativeError(out, reference[name]!);
        expect(error, `${test.name}: ${name}`).toBeLessThanOrEqual(kernel.tolerance.f32);
      }
      run.program.destroy();
    }
  } finally {
    Object.assign(gpu, { caps: own });
  }
}
