/** The tuner: what it finds in a network, what it checks, and that its choices change neither results nor promises. */
import { afterEach, describe, expect, it, vi } from "vitest";
import { gemm } from "../../kernels/network/gemm/kernel.js";
import type { Caps } from "../../src/gpu/contract.js";
import type { Gpu } from "../../src/gpu/device.js";
import type { Graph } from "../../src/graph/graph.js";
import type { NodeTime } from "../../src/graph/profile.js";
import type { Program } from "../../src/graph/program.js";
import { convKey } from "../../src/layers/conv-algorithm.js";
import { type Layer, LayerBench, layersOf, layerWork } from "../../src/measure/layer.js";
import { subjectsOf, type TuneOptions, type TuneRow, tuneNetwork } from "../../src/measure/tuner.js";
import { loadModel } from "../../src/networks/edm2/model.js";
import { buildNetwork } from "../../src/networks/edm2/network.js";
import { networkPreset } from "../../src/networks/edm2/presets.js";
import { fixturePath, Recording, relativeError } from "../support/fixtures.js";
import { openTestGpu, withTestGpu } from "../support/gpu.js";

let gpu: Gpu;
withTestGpu((own) => (gpu = own));
afterEach(() => void vi.restoreAllMocks());

/** A U-Net of few and small layers, with attention, up and down, both epilogues. */
function network(batch: number, tuning?: ReadonlyMap<string, string>): Graph {
  const { architecture, config } = networkPreset("edm2-img64-xs");
  const small = { ...config, model_channels: 8, channel_mult: [1, 2], num_blocks: 1, img_resolution: 8, label_dim: 0 };
  return buildNetwork(architecture, { ...small, attn_resolutions: [4] }, batch, { tuning }).graph;
}

/** Every node takes one millisecond, but `fast` ones a tenth. */
function timesOf(fast: (key: string, name: string) => boolean) {
  return async ({ graph, gpu }: Program): Promise<NodeTime[]> =>
    graph.nodes.map((node) => {
      const variant = node.kernel.variant(node.params as never, gpu.caps).key;
      const ms = fast(variant, node.kernel.name) ? 0.1 : 1;
      return { node: node.name, kernel: node.kernel.name, variant, startMs: 0, ms, flops: 0, bytes: 0 };
    });
}

const tuned = (options: Partial<TuneOptions> = {}) =>
  tuneNetwork(gpu, network(2), { batch: 2, seconds: 600, nodeTimes: timesOf(() => false), ...options });

describe("the layers of a network", () => {
  it("are those that the network asks a tuner for", () => {
    const asked: string[] = [];
    const recording = new Map<string, string>();
    recording.get = (key) => void asked.push(key);
    const found = layersOf(network(2, recording)).flatMap(({ shape, count }) => Array(count).fill(convKey(shape)));
    expect(found.length).toBeGreaterThan(15);
    expect(found.sort()).toEqual(asked.sort());
    // The same whichever way they are computed, and whatever the batch.
    const direct = new Map(asked.map((key) => [key, "direct"]));
    expect(layersOf(network(3, direct))).toEqual(layersOf(network(2)));
    expect(new Set(layersOf(network(1)).map(({ epilogue }) => epilogue)).size).toBe(3);
  });

  it("have the same names of loops for every batch", () => {
    const names = (batch: number) => {
      const { kernels, algorithms } = subjectsOf(gpu, network(batch), batch);
      return [...kernels, ...algorithms].map(({ key, choices, uses }) => ({ key, choices, uses }));
    };
    expect(names(1).length).toBeGreaterThan(10);
    expect(names(1)).toEqual(names(2));
    expect(names(19)).toEqual(names(2));
  });

  it("counts work as the direct sum does", () => {
    expect(layerWork({ inChannels: 3, outChannels: 5, height: 2, width: 7, kernel: 3 })).toBe(3 * 5 * 2 * 7 * 9);
  });
});

describe("a layer by itself", () => {
  const layer = (epilogue: Layer["epilogue"], kernel: 1 | 3): Layer => {
    return { shape: { inChannels: 12, outChannels: 20, height: 8, width: 12, kernel }, epilogue, count: 1 };
  };
  for (const epilogue of ["none", "scale_silu", "sum_clip"] as const) {
    for (const kernel of [1, 3] as const) {
      it(`${kernel}x${kernel}, ${epilogue}: every algorithm agrees with float64, and an error is seen`, async () => {
        const bench = new LayerBench(gpu, layer(epilogue, kernel), 3);
        const results: Float32Array[] = [];
        for (const algorithm of [kernel === 1 ? "gemm" : "winograd", "direct"]) {
          const { program, output } = await bench.prepare(new Map([[convKey(bench.layer.shape), algorithm]]));
          expect(program.graph.nodes).toHaveLength(algorithm === "winograd" ? 3 : 1);
          await program.run();
          results.push(await output());
          program.destroy();
        }
        for (const out of results) {
          expect(bench.sampledError(out)).toBeLessThanOrEqual(3e-6);
          expect(bench.sampledError(out)).toBeGreaterThan(0);
          expect(bench.sampledError(out.map((v) => 1.001 * v))).toBeCloseTo(1e-3, 5);
          expect(bench.sampledError(out.map(() => Number.NaN))).toBe(Number.POSITIVE_INFINITY);
        }
        expect(relativeError(results[0]!, results[1]!)).toBeLessThanOrEqual(4e-6);
        const held = gpu.allocatedBytes;
        bench.destroy();
        expect(gpu.allocatedBytes).toBeLessThan(held);
      });
    }
  }
});

describe("tuning", () => {
  it("takes for every name the fastest of the choices, and the cost model's where nothing beats it", async () => {
    const same = await tuned();
    // A Winograd convolution has three nodes, so that here the direct sum wins.
    for (const row of same) {
      expect(row).toMatchObject({ measured: true, rejected: [] });
      expect(row.choice, row.key).toBe(row.own === "winograd" ? "direct" : row.own);
      expect(row.ms! / row.ownMs!).toBeCloseTo(row.own === "winograd" ? 1 / 3 : 1, 9);
    }
    const loops = same.filter(({ key }) => key.startsWith("gemm"));
    expect(loops.length).toBeGreaterThan(3);
    const total = same.filter(({ own }) => own === "winograd").reduce((sum, { uses }) => sum + uses, 0);
    expect(total).toBeGreaterThan(5);

    const held = gpu.allocatedBytes;
    const progress: number[][] = [];
    const rows = await tuned({
      nodeTimes: timesOf((variant, kernel) => kernel === "gemm" && variant.startsWith("plain 8x2")),
      onProgress: (done, all) => progress.push([done, all]),
    });
    const isOwn = new Set(loops.filter(({ own }) => own === "plain 8x2").map(({ key }) => key));
    for (const row of rows.filter(({ key }) => key.startsWith("gemm") && !isOwn.has(key)))
      expect(row, row.key).toMatchObject({ choice: "plain 8x2", ms: expect.closeTo(0.1 * row.uses, 9) });
    expect(gpu.allocatedBytes).toBe(held);
    expect(progress[0]).toEqual([0, rows.length]);
    expect(progress.at(-1)).toEqual([rows.length, rows.length]);
  });

  it("what is far slower is run once and left out, without being called wrong", async () => {
    let runs = 0;
    const slow = async (program: Program) => {
      const nodes = await timesOf(() => false)(program);
      const plain = nodes.some(({ kernel, variant }) => kernel === "gemm" && variant.startsWith("plain 8x2"));
      if (plain) runs++;
      return plain ? nodes.map((node) => ({ ...node, ms: 3 })) : nodes;
    };
    const rows = (await tuned({ nodeTimes: slow })).filter(({ key }) => key.startsWith("gemm"));
    const others = rows.filter(({ own }) => own !== "plain 8x2");
    for (const row of others) expect(row, row.key).toMatchObject({ choice: row.own, measured: true, rejected: [] });
    if (others.length === rows.length) expect(runs).toBe(rows.length);
  });

  it("stops when its time is up: the rest keep the cost model's choice and say that they were not measured", async () => {
    const none = await tuned({ seconds: -1 });
    expect(none.length).toBeGreaterThan(10);
    for (const { measured, choice, own, ms } of none)
      expect({ measured, choice, ms }).toEqual({ measured: false, choice: own, ms: null });
    let clock = 0;
    const some = await tuned({
      seconds: 1,
      now: () => clock,
      nodeTimes: async (program) => {
        clock += 10;
        return timesOf(() => false)(program);
      },
    });
    const done = some.filter(({ measured }) => measured).length;
    expect(done).toBeGreaterThan(0);
    expect(done).toBeLessThan(some.length);
    // The loops may use most of the time, not all of it.
    expect(some.some(({ key, measured }) => key.startsWith("conv") && measured)).toBe(true);
    expect(clock).toBeLessThan(1100);
  });

  /** gemm with one more choice, whose WGSL is `text` of the cost model's. */
  function addChoice(name: string, text: (prelude: string) => string, own = false): void {
    const { choices, variant, tuneKey } = gemm;
    vi.spyOn(gemm, "choices").mockImplementation((p, caps) => {
      const all = choices!(p, caps);
      return own ? [name, ...all] : [...all, name];
    });
    vi.spyOn(gemm, "variant").mockImplementation((p, caps: Caps) => {
      const made = variant(p, caps);
      if ((caps.tuning?.get(tuneKey!(p)) ?? (own ? name : "")) !== name) return made;
      return { ...made, key: `${name} ${made.key}`, text: async () => text(await made.text!()) };
    });
  }
  const loopsOf = (rows: readonly TuneRow[]) => rows.filter(({ key }) => key.startsWith("gemm"));
  const fast = timesOf((variant) => variant.startsWith("new"));

  it("rejects, with the reason, what computes wrongly, gives no finite values or does not compile", async () => {
    for (const [name, text, reason, wrong] of [
      [
        "new, wrong",
        (s: string) => s.replaceAll("weight4(w[", "1.0001 * weight4(w["),
        /^off by 1\.\de-4 in conv \dx\d/,
        true,
      ],
      [
        "new, not finite",
        (s: string) => s.replaceAll("weight4(w[", "bitcast<f32>(0x7fc00000u | p.rows) * weight4(w["),
        /^values that are not finite in conv/,
        true,
      ],
      [
        "new, no WGSL",
        (s: string) => `${s}\nconst nonsense: u32 = 1.5;`,
        /^prelude of gemm .*\(WGSL of kernel gemm new/,
        false,
      ],
    ] as const) {
      addChoice(name, text);
      const rows = await tuned({ nodeTimes: fast });
      for (const { key, own, choice, rejected } of loopsOf(rows)) {
        expect({ key, choice }).toEqual({ key, choice: own });
        expect(rejected, key).toEqual([{ choice: name, reason: expect.stringMatching(reason), wrong }]);
      }
      vi.restoreAllMocks();
      gpu.check();
    }
  });

  it("notes when the cost model's own choice computes wrongly, and replaces it", async () => {
    addChoice("new", (s) => s.replaceAll("weight4(w[", "1.5 * weight4(w["), true);
    for (const row of loopsOf(await tuned({ nodeTimes: fast }))) {
      expect(row, row.key).toMatchObject({
        own: "new",
        ownMs: null,
        measured: true,
        rejected: [{ choice: "new", wrong: true }],
      });
      expect(row.choice).not.toBe("new");
    }
  });

  it.each(["f16", "f16-weights"] as const)("in %s nothing that is right is rejected", async (precision) => {
    const other = await openTestGpu({ precision });
    const rows = await tuneNetwork(other, network(1), { batch: 1, seconds: 600, nodeTimes: timesOf(() => false) });
    expect(rows.length).toBeGreaterThan(10);
    for (const row of rows) expect(row, row.key).toMatchObject({ measured: true, rejected: [] });
    other.close();
  });

  it("a loss of the device ends it", async () => {
    const other = await openTestGpu();
    const graph = network(1);
    const nodeTimes = async (program: Program) => {
      other.device.destroy();
      await other.device.lost;
      return timesOf(() => false)(program);
    };
    await expect(tuneNetwork(other, graph, { batch: 1, seconds: 600, nodeTimes })).rejects.toMatchObject({
      code: "DEVICE_LOST",
    });
    other.close();
  });
});

describe("a tuned network", () => {
  const file = fixturePath("ncvsd-tiny.safetensors");

  /** Opens the network with the choice at this place of every list. */
  async function opened(place: number) {
    const plain = await loadModel(gpu, file);
    const { kernels, algorithms } = subjectsOf(gpu, plain.planFor(3).network.graph, 3);
    await plain.close();
    const tuning = new Map([...kernels, ...algorithms].map(({ key, choices }) => [key, choices.at(place)!]));
    const device = await openTestGpu({ tuning });
    expect(device.tuning).toEqual({ choices: tuning, file: null });
    return { device, model: await loadModel(device, file) };
  }

  it("with choices that there are not: the cost models', to the bit", async () => {
    const recording = await Recording.open("ncvsd-tiny.model.case.safetensors");
    const plain = await loadModel(gpu, file);
    const { kernels, algorithms } = subjectsOf(gpu, plain.planFor(1).network.graph, 1);
    const tuning = new Map([...kernels, ...algorithms].map(({ key }) => [key, "subgroup 1e9x-1"]));
    const device = await openTestGpu({ tuning });
    const model = await loadModel(device, file);
    const input = {
      x: await recording.values("x"),
      sigma: await recording.values("sigma"),
      condX: await recording.values("cond_x"),
      condSigma: await recording.values("cond_sigma"),
    };
    expect(await model.denoise(input)).toEqual(await plain.denoise(input));
    await plain.close();
    device.close();
  });

  for (const [what, place] of [
    ["first", 0],
    ["second", 1],
    ["last", -1],
  ] as const) {
    it(`with the ${what} choice everywhere: recorded values, and bits that do not depend on the batch`, async () => {
      const recording = await Recording.open("ncvsd-tiny.model.case.safetensors");
      const { device, model } = await opened(place);
      const x = await recording.values("x");
      const input = {
        x,
        sigma: await recording.values("sigma"),
        condX: await recording.values("cond_x"),
        condSigma: await recording.values("cond_sigma"),
        labels: await recording.values("class_labels"),
      };
      const { denoised } = await model.evaluate(input);
      expect(relativeError(denoised, await recording.truth("D_x"))).toBeLessThanOrEqual(2e-5);
      const count = input.sigma.length;
      expect(count).toBeGreaterThan(1);
      const pixels = x.length / count;
      const bits = (v: Float32Array) => Buffer.from(v.slice().buffer).toString("hex");
      for (let n = 0; n < count; n++) {
        const part = (v: Float32Array) => v.slice((n * v.length) / count, ((n + 1) * v.length) / count);
        const alone = await model.denoise({
          x: part(x),
          sigma: part(input.sigma),
          condX: part(input.condX),
          condSigma: part(input.condSigma),
          labels: part(input.labels),
        });
        expect(bits(alone) === bits(denoised.subarray(n * pixels, (n + 1) * pixels)), `image ${n}`).toBe(true);
      }
      const names = new Set(model.planFor(1).network.graph.nodes.map((node) => node.kernel.name));
      expect(names.has("winograd-output")).toBe(place === 0);
      expect(names.has("conv")).toBe(place !== 0);
      await model.close();
      device.close();
    });
  }
});
