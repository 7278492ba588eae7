import { spawnSync } from "node:child_process";
import { describe, expect, it } from "vitest";
import { scale } from "../../kernels/sampling/scale/kernel.js";
import type { Kernel } from "../../src/gpu/contract.js";
import { openGpu } from "../../src/gpu/device.js";
import { Graph } from "../../src/graph/graph.js";
import { Program } from "../../src/graph/program.js";
import { loadModel } from "../../src/networks/edm2/model.js";
import { sampleMultiStep } from "../../src/sample/multi-step.js";
import { fixturePath } from "../support/fixtures.js";
import { openTestGpu } from "../support/gpu.js";

type ScaleParams = Parameters<typeof scale.check>[0];

async function runBroken(change: (wgsl: string) => string) {
  const gpu = await openTestGpu();
  try {
    const source = scale.source.map((part) =>
      part.file.endsWith("kernel.wgsl") ? { ...part, text: change(part.text) } : part,
    );
    const broken: Kernel<ScaleParams> = { ...scale, name: `broken ${Math.random()}`, source };
    const graph = new Graph();
    const x = graph.external("x", [4]);
    const factor = graph.external("factor", [1]);
    graph.run("n", broken, { elements: 4 }, { x, factor }, { y: [4] });
    const program = await Program.create(gpu, { label: "broken", graph });
    await program.run();
  } finally {
    gpu.close();
  }
}

describe("errors of the GPU", () => {
  it("in WGSL name the file, line and column in that file", async () => {
    const line =
      scale.source
        .at(-1)!
        .text.split("\n")
        .findIndex((l) => l.includes("fn each")) + 1;
    const failure = runBroken((wgsl) => wgsl.replace("fn each", "fn  ; each"));
    await expect(failure).rejects.toThrow(new RegExp(`^kernels/sampling/scale/kernel.wgsl:${line}:\\d+: `));
  });

  it("in types too", async () => {
    const text = scale.source.at(-1)!.text;
    const line = text.split("\n").findIndex((l) => l.includes("@binding(1)")) + 1;
    const failure = runBroken((wgsl) =>
      wgsl.replace("@group(0) @binding(1)", "const bad: u32 = 1.5;  @group(0) @binding(1)"),
    );
    await expect(failure).rejects.toThrow(new RegExp(`^kernels/sampling/scale/kernel.wgsl:${line}:\\d+: `));
  });

  it("no adapter of that name: NO_ADAPTER, naming those that are there", async () => {
    await expect(openGpu({ adapter: "no such thing" })).rejects.toMatchObject({ code: "NO_ADAPTER" });
  });

  it("a memory limit: OUT_OF_MEMORY that says the largest batch that fits, and that batch does fit", async () => {
    const gpu = await openTestGpu({ memoryLimit: 12 * 2 ** 20 });
    const model = await loadModel(gpu, fixturePath("ncvsd-tiny.safetensors"));
    const run = (n: number) => sampleMultiStep(model, { seeds: Array.from({ length: n }, (_, i) => i), ts: [10] });
    const error = await run(1000).then(
      () => undefined,
      (e: Error & { code?: string }) => e,
    );
    expect(error?.code).toBe("OUT_OF_MEMORY");
    const largest = Number(/the largest batch that fits is (\d+)/.exec(error!.message)?.[1]);
    expect(largest).toBeGreaterThan(1);
    expect((await run(largest)).shape[0]).toBe(largest);
    gpu.close();
  });

  it("a device lost in the middle: DEVICE_LOST, and the run ends", async () => {
    const gpu = await openTestGpu();
    const model = await loadModel(gpu, fixturePath("ncvsd-tiny.safetensors"));
    const run = sampleMultiStep(model, {
      seeds: [0],
      ts: [0, 10, 20, 30],
      onStep({ step }) {
        if (step === 2) gpu.device.destroy();
      },
    });
    await expect(run).rejects.toMatchObject({ code: "DEVICE_LOST" });
    await expect(sampleMultiStep(model, { seeds: [0] })).rejects.toMatchObject({ code: "DEVICE_LOST" });
    gpu.close();
  });

  it("memory that runs out outside of any scope: OUT_OF_MEMORY all the same", async () => {
    const gpu = await openTestGpu();
    class GPUOutOfMemoryError {
      readonly message = "no memory";
    }
    gpu.device.dispatchEvent(Object.assign(new Event("uncapturederror"), { error: new GPUOutOfMemoryError() }));
    expect(() => gpu.check()).toThrow(expect.objectContaining({ code: "OUT_OF_MEMORY" }));
    gpu.close();
  });

  it("a precision that there is not: BAD_ARGUMENT", async () => {
    await expect(openTestGpu({ precision: "bf16" as "f16" })).rejects.toMatchObject({ code: "BAD_ARGUMENT" });
  });

  it("a closed device: DEVICE_LOST, not a crash", async () => {
    const gpu = await openTestGpu();
    const model = await loadModel(gpu, fixturePath("edm2-tiny-uncond.safetensors"));
    gpu.close();
    gpu.close();
    await expect(model.denoise({ x: new Float32Array(768), sigma: 1 })).rejects.toMatchObject({ code: "DEVICE_LOST" });
  });
});

describe("a process that uses the library", () => {
  const script = (body: string) => `
    import { openGpu, loadModel } from ${JSON.stringify(new URL("../../dist/src/index.js", import.meta.url).href)};
    const gpu = await openGpu();
    const model = await loadModel(gpu, ${JSON.stringify(fixturePath("edm2-tiny-uncond.safetensors"))});
    ${body}
    console.log("end");`;
  for (const [name, body, status] of [
    ["ends by itself after close()", "await model.denoise({ x: new Float32Array(768), sigma: 1 }); gpu.close();", 0],
    ["ends by itself when it forgets close()", "await model.denoise({ x: new Float32Array(768), sigma: 1 });", 0],
    ["ends with its error", "await model.denoise({ x: new Float32Array(7), sigma: 1 });", 1],
  ] as const) {
    it(name, () => {
      const child = spawnSync(process.execPath, ["--input-type=module", "-e", script(body)], {
        encoding: "utf8",
        timeout: 60_000,
      });
      expect(child.signal, child.stderr).toBeNull();
      expect(child.status, child.stderr).toBe(status);
      expect(child.stdout.includes("end")).toBe(status === 0);
      if (status !== 0)
        expect(child.stderr).toContain("x has 7 values, which is no multiple of 3 x 16 x 16 = 768 of one image");
    });
  }
});
