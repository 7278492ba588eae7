import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { gemm } from "../../kernels/network/gemm/kernel.js";
import type { GemmParams } from "../../kernels/network/gemm/reference.js";
import { packGemmWeight } from "../../kernels/network/gemm/weight.js";
import { actType, type Caps, type Case, type Precision } from "../../src/gpu/contract.js";
import type { Gpu } from "../../src/gpu/device.js";
import { type KernelRun, normalSource, prepareKernel, relativeError } from "../../src/graph/run-kernel.js";
import { openTestGpu } from "../support/gpu.js";

let gpu: Gpu;
let own: Caps;

/** Opens the GPU of the tests around it. Without shader-f16, f16 is f16-weights. */
function withGpu(precision: Precision = "f32"): void {
  beforeAll(async () => {
    gpu = await openTestGpu({ precision });
    own = gpu.caps;
  });
  afterAll(() => gpu.close());
}

const choices = (params: GemmParams, caps: Caps) => gemm.choices!(params, caps);

/** The kernel's case as a tuner's choice makes it, on an adapter that says of itself whether it is software. */
function prepare(test: Case<GemmParams>, choice: string, software: boolean): Promise<KernelRun> {
  const tuning = new Map([[gemm.tuneKey!(test.params), choice]]);
  Object.assign(gpu, { caps: { ...own, software, tuning } satisfies Caps });
  return prepareKernel(gpu, gemm, test).finally(() => Object.assign(gpu, { caps: own }));
}

describe.each(["f32", "f16", "f16-weights"] as const)("every choice of gemm against float64, %s", (precision) => {
  withGpu(precision);
  for (const software of [true, false]) {
    for (const [n, test] of gemm.cases.entries()) {
      it(`as ${software ? "software" : "a GPU"}: ${test.name}`, async () => {
        const names = choices(test.params, { ...own, software });
        expect(names.length).toBeGreaterThan(1);
        expect(new Set(names).size).toBe(names.length);
        // Tiles take turns with the cases, and halves are read by what all of them share: each text is seconds of compilation.
        const turn = (choice: string, i: number) =>
          !choice.startsWith("tiled ") || (precision === "f32" && (choice.includes("/") || (i + n) % 6 === 0));
        let reference: Float64Array | undefined;
        const tiled = new Set<string>();
        for (const choice of names.filter(turn)) {
          const run = await prepare(test, choice, software);
          await run.program.run();
          const { y } = await run.outputs();
          reference ??= gemm.reference(test.params, run.inputs).y!;
          expect(relativeError(y!, reference), choice).toBeLessThanOrEqual(gemm.tolerance[actType(gpu.precision)]);
          if (choice.startsWith("tiled")) tiled.add(Buffer.from(y!.buffer).toString("base64"));
          run.program.destroy();
        }
        // The batch may choose among tiles.
        expect(tiled.size, "bits of the tiles").toBe(software ? 0 : 1);
      });
    }
  }
});

describe("an image's bits do not depend on the batch", () => {
  withGpu();
  const scaled = { kind: "scale_silu", offset: 1, stride: 71 } as const;
  const layer = { groups: 1, rows: 70, depth: 37, columns: 8, type: "act", epilogue: scaled } as const;
  /** Image n's values depend on n only. */
  const inputs = (name: string, length: number) => {
    const { rows, depth } = layer;
    if (name === "w")
      return packGemmWeight(Float32Array.from({ length: rows * depth }, normalSource(1)), 1, rows, depth);
    const one = name === "c" ? layer.epilogue.stride : layer.depth * layer.columns;
    return Float32Array.from(
      Array.from({ length: length / one }, (_, n) => Array.from({ length: one }, normalSource(n + 2))).flat(),
    );
  };
  for (const software of [true, false]) {
    it(`of each choice, as ${software ? "software" : "a GPU"}`, async () => {
      for (const choice of choices({ ...layer, images: 1 }, { ...own, software })) {
        // One image is two quads and two are four: lanes over rows. Four fill a subgroup's lanes, 17 two quads of each lane.
        const firsts: Buffer[] = [];
        for (const images of [1, 2, 4, 17]) {
          const run = await prepare({ name: "batch", params: { ...layer, images }, inputs }, choice, software);
          await run.program.run();
          const y = (await run.outputs()).y as Float32Array;
          run.program.destroy();
          firsts.push(Buffer.from(y.slice(0, layer.rows * layer.columns).buffer));
        }
        const [alone, ...others] = firsts;
        others.forEach((among, i) => {
          expect(among.equals(alone!), `${choice}, ${[2, 4, 17][i]} images`).toBe(true);
        });
      }
    });
  }
});

describe("the tuner's names", () => {
  const base: GemmParams = {
    groups: 36,
    images: 1,
    rows: 192,
    depth: 192,
    columns: 4,
    perImage: 4,
    type: "f32",
    epilogue: { kind: "none" },
  };
  const gpuCaps: Caps = {
    precision: "f32",
    subgroups: true,
    subgroupMinSize: 8,
    subgroupMaxSize: 8,
    software: false,
    maxWorkgroupSize: 256,
    maxWorkgroupsPerDimension: 65535,
  };
  const key = (p: Partial<GemmParams>) => gemm.tuneKey!({ ...base, ...p });
  const chosen = (caps: Partial<Caps>) => gemm.variant(base, { ...gpuCaps, ...caps }).key;

  it("name a shape without the batch", () => {
    expect(key({})).toBe("gemm 36x[192x192] n=4 f32 none");
    // A batch of 16 images of 8x8 is two panels of 32 columns.
    expect(key({ images: 2, columns: 32, live: 64 })).toBe(key({}));
    expect(gemm.tuneKey!({ ...base, groups: 1, images: 3, columns: 64, live: 64 })).toBe(
      gemm.tuneKey!({ ...base, groups: 1, columns: 64 }),
    );
    const others = [
      ...[{ rows: 96 }, { depth: 96 }, { groups: 16 }, { perImage: 16 }, { type: "act" as const }],
      ...[{ segments: 8 }, { segments: 16 }],
    ];
    expect(new Set(others.map(key)).add(key({})).size).toBe(others.length + 1);
    for (const software of [true, false]) {
      const caps = { ...gpuCaps, software };
      expect(choices({ ...base, images: 5, columns: 32, live: 96 }, caps)).toEqual(choices(base, caps));
    }
  });

  it("of a sum in one part say nothing of one in several, whose tiles have other texts", () => {
    const parted = { ...base, segments: 8 as const };
    const default8 = gemm.variant(parted, gpuCaps).key;
    const shared = choices(parted, gpuCaps).filter((choice) => choices(base, gpuCaps).includes(choice));
    const other = shared.find((choice) => /^tiled \d/.test(choice) && !default8.startsWith(`${choice} `))!;
    const keyWith = (params: GemmParams, of: Partial<GemmParams>) =>
      gemm.variant(params, { ...gpuCaps, tuning: new Map([[key(of), other]]) }).key;
    expect(keyWith(parted, {})).toBe(default8);
    expect(keyWith(parted, { segments: 8 })).toBe(`${other} of 8 f32 none`);
    expect(keyWith(base, { segments: 8 })).toBe(chosen({}));
  });

  it("of a tuned choice are followed where they fit, else the cost model decides", () => {
    const tuned = (choice: string) => new Map([[key({}), choice]]);
    const first = chosen({});
    expect(first).toContain(choices(base, gpuCaps)[0]!);
    expect(chosen({ tuning: tuned("tiled 32x32") })).toContain("tiled 32x32");
    expect(chosen({ tuning: tuned("plain 8x2") })).toContain("plain 8x2");
    // Unknown, not a tile, or of a loop that needs what the adapter lacks.
    expect(chosen({ tuning: tuned("magic 3x3") })).toBe(first);
    expect(chosen({ tuning: tuned("") })).toBe(first);
    expect(chosen({ tuning: tuned("tiled 1x1") })).toBe(first);
    const bare = { subgroups: false };
    expect(chosen({ ...bare, tuning: tuned("subgroup 32x1") })).toBe(chosen(bare));
    expect(chosen({ tuning: new Map([["another layer", "tiled 32x32"]]) })).toBe(first);
  });

  it("of tiles stay within WebGPU's workgroups on a small adapter too", () => {
    const all = choices(base, gpuCaps);
    expect(all).toContain("tiled 128x128");
    expect(choices(base, { ...gpuCaps, maxWorkgroupSize: 128 })).toEqual(all.filter((c) => c !== "tiled 128x128"));
  });
});
