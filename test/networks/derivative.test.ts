import { beforeAll, describe, expect, it } from "vitest";
import type { Gpu } from "../../src/gpu/device.js";
import { interpret } from "../../src/graph/interpret.js";
import { normalSource } from "../../src/graph/run-kernel.js";
import { openDenoiserVjp, vjpGraph } from "../../src/networks/edm2/derivative.js";
import { loadModel, type Model } from "../../src/networks/edm2/model.js";
import type { DenoiserVjpSession, Labels } from "../../src/networks/session.js";
import { differences } from "../support/differences.js";
import { fixturePath, relativeError } from "../support/fixtures.js";
import { openTestGpu, withTestGpu } from "../support/gpu.js";

let gpu: Gpu;
withTestGpu((opened) => {
  gpu = opened;
});

/** Clips inside, attention, skips, classes: all that an EDM2 block can have. */
const WEIGHTS = "edm2-tiny.safetensors";
const CONFIG = { clip_act: 1.5 };
const LEVELS = [0.4, 12];

let model: Model;
beforeAll(async () => {
  model = await loadModel(gpu, fixturePath(WEIGHTS), { config: CONFIG });
});

interface Point {
  readonly x: Float32Array;
  readonly sigma: readonly number[];
  readonly v: Float32Array;
  readonly labels: Labels;
}

/** Images at different levels. */
function point(batch = 2): Point {
  const random = normalSource(5);
  const elements = model.shape.reduce((a, b) => a * b, 1);
  const draw = () => Float32Array.from({ length: batch * elements }, random);
  const sigma = LEVELS.slice(0, batch);
  const x = draw().map((value, i) => value * Math.hypot(0.5, sigma[Math.floor(i / elements)]!));
  return { x, sigma, v: draw(), labels: [3, -1].slice(0, batch) };
}

async function evaluate(session: DenoiserVjpSession, { x, sigma }: Point): Promise<Float32Array> {
  gpu.write(session.x, x);
  gpu.write(session.sigma, Float32Array.from(sigma));
  submit((pass) => session.encode(pass));
  return gpu.readF32(session.denoised, x.length);
}

async function pull(session: DenoiserVjpSession, v: Float32Array): Promise<Float32Array> {
  gpu.write(session.v, v);
  submit((pass) => session.pullback.encode(pass));
  return gpu.readF32(session.vjp, v.length);
}

function submit(encode: (pass: GPUComputePassEncoder) => void): void {
  const encoder = gpu.device.createCommandEncoder();
  const pass = encoder.beginComputePass();
  encode(pass);
  pass.end();
  gpu.device.queue.submit([encoder.finish()]);
}

/** Plain sums: Winograd's weights are rounded after their transform, the weight's and the transposed one's apart. */
class Direct extends Map<string, string> {
  override get(): string {
    return "direct";
  }
}

/** The graph with its inputs and constants. */
async function inFloat64(
  { x, sigma, v }: Point,
  classes: readonly (readonly number[])[],
  options: Parameters<typeof vjpGraph>[2] = { tuning: new Direct() },
) {
  const net = vjpGraph(model.config, sigma.length, options);
  const given = new Map<string, ArrayLike<number>>([
    ["x", x],
    ["sigma", Float64Array.from(sigma)],
    ["v", v],
    ["labels", classes.flat()],
  ]);
  for (const { kind, name } of net.graph.tensors) {
    if (kind !== "constant" || given.has(name)) continue;
    const { sources, make } = net.graph.recipes.get(name)!;
    given.set(name, make(await Promise.all(sources.map((source) => model.checkpoint.readF32(source)))));
  }
  return { ...net, given };
}

const oneHot = (label: number) => Array.from({ length: 10 }, (_, i) => (i === label ? 1 : 0));

describe("J'v of a teacher", () => {
  it("is the derivative: float64, against central differences", async () => {
    const one = point(1);
    const { graph, given, x, denoised, vjp } = await inFloat64(one, [oneHot(3)]);
    const errors = differences(graph, given, new Map([[denoised, "v"]]), new Map([[x, vjp]]), {
      directions: 1,
      h: 1e-6,
    });
    console.info(`J'v against differences: ${errors.get("x")!.toExponential(1)}`);
    expect(errors.get("x")).toBeLessThan(1e-9);
  });

  it("agrees on the GPU with float64", async () => {
    const two = point();
    const { graph, given, denoised, vjp } = await inFloat64(two, [oneHot(3), oneHot(-1)]);
    const truth = interpret(graph, given);
    const session = await openDenoiserVjp(model, 2, two.labels);
    const D = await evaluate(session, two);
    const pulled = await pull(session, two.v);
    session.release();
    const half = pulled.length / 2;
    for (const image of [0, 1]) {
      const part = (values: ArrayLike<number>) => Array.from(values).slice(image * half, (image + 1) * half);
      const error = relativeError(part(pulled), part(truth.get(vjp)!));
      console.info(`J'v at sigma ${LEVELS[image]}: ${error.toExponential(1)}`);
      expect(error).toBeLessThan(1e-5);
      expect(relativeError(part(D), part(truth.get(denoised)!))).toBeLessThan(1e-5);
    }
  });

  it("is the same with layers in parts", async () => {
    const one = point(1);
    const run = async (bindingBytes?: number) => {
      const { graph, given, vjp } = await inFloat64(one, [oneHot(3)], bindingBytes ? { bindingBytes } : {});
      const parts = graph.nodes.filter(({ name }) => /^d .* 2\/\d/.test(name)).length;
      return { parts, values: interpret(graph, given).get(vjp)! };
    };
    const [whole, cut] = [await run(), await run(3 * 2 ** 13)];
    expect([whole.parts, cut.parts > 5]).toEqual([0, true]);
    expect(relativeError(cut.values, whole.values)).toBeLessThan(1e-12);
  });

  it("is the same after other vectors, and after the next level was written", async () => {
    const two = point();
    const session = await openDenoiserVjp(model, 2, two.labels);
    await evaluate(session, two);
    const first = await pull(session, two.v);
    gpu.write(session.sigma, Float32Array.of(7, 9));
    const other = await pull(
      session,
      two.v.map((value) => -3 * value),
    );
    const again = await pull(session, two.v);
    session.release();
    expect(again).toEqual(first);
    expect(
      relativeError(
        other,
        first.map((value) => -3 * value),
      ),
    ).toBeLessThan(1e-5);
  });

  it("does not depend on the batch, to the bit", async () => {
    const two = point();
    const both = await openDenoiserVjp(model, 2, two.labels);
    await evaluate(both, two);
    const pulled = await pull(both, two.v);
    both.release();
    const half = pulled.length / 2;
    for (const image of [0, 1]) {
      const part = (values: Float32Array) => values.subarray(image * half, (image + 1) * half);
      const alone = await openDenoiserVjp(model, 1, (two.labels as number[]).slice(image, image + 1));
      await evaluate(alone, { ...two, x: part(two.x), sigma: [LEVELS[image]!] });
      expect(await pull(alone, part(two.v))).toEqual(part(pulled));
      alone.release();
    }
  });
});

describe("openDenoiserVjp", () => {
  it("lets a denoiser bring its own", async () => {
    const own = {} as DenoiserVjpSession;
    const prior = { gpu, shape: model.shape, openDenoiser: async () => own, openDenoiserVjp: async () => own };
    expect(await openDenoiserVjp(prior, 1, undefined)).toBe(own);
  });
  it("refuses a denoiser without a derivative, a generative one and a closed one", async () => {
    const prior = { gpu, shape: model.shape, openDenoiser: async () => ({}) as DenoiserVjpSession };
    await expect(openDenoiserVjp(prior, 1, undefined)).rejects.toThrow("The denoiser has no derivative");
    const ncvsd = await loadModel(gpu, fixturePath("ncvsd-tiny.safetensors"));
    await expect(openDenoiserVjp(ncvsd, 1, undefined)).rejects.toThrow("is a generative denoiser");
    await ncvsd.close();
    const teacher = await loadModel(gpu, fixturePath("edm2-tiny-uncond.safetensors"));
    await teacher.close();
    await expect(openDenoiserVjp(teacher, 1, undefined)).rejects.toThrow("is closed");
  });
  it("says what a batch needs that is too large", async () => {
    const small = await openTestGpu({ memoryLimit: 2 ** 26 });
    const teacher = await loadModel(small, fixturePath(WEIGHTS));
    await expect(openDenoiserVjp(teacher, 256, undefined)).rejects.toThrow(
      /at batch 256 needs .* beside .* of weights, more than .* can hold: try fewer images at a time/,
    );
    small.close();
  });
});
