import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Gpu } from "../../src/gpu/device.js";
import { Graph, type Tensor } from "../../src/graph/graph.js";
import { interpret } from "../../src/graph/interpret.js";
import { Program } from "../../src/graph/program.js";
import { normalSource, relativeError } from "../../src/graph/run-kernel.js";
import { denoisingLoss, distillationLoss, logisticLoss } from "../../src/train/losses.js";
import { openTestGpu } from "../support/gpu.js";
import { RawTensors } from "../support/raw-tensors.js";

let gpu: Gpu;
beforeAll(async () => {
  gpu = await openTestGpu();
});
afterAll(() => gpu.close());

type Values = ArrayLike<number>;
const times = (a: Values, b: Values) => Float64Array.from(a, (v, i) => v * b[i]!);

/** Sums of the images of a batch. */
function perImage(values: Values, batch: number): Float64Array {
  const sums = new Float64Array(batch);
  for (let i = 0; i < values.length; i++) sums[Math.floor((i * batch) / values.length)]! += values[i]!;
  return sums;
}

/** What `append` makes of the given tensors, all f32. */
async function evaluate<N extends string, R extends string>(
  where: "float64 reference" | "GPU",
  given: Readonly<Record<N, { readonly shape: readonly number[]; readonly values: Values }>>,
  append: (graph: Graph, tensors: Record<N, Tensor>) => Readonly<Record<R, Tensor>>,
): Promise<Record<R, Values>> {
  const graph = new Graph();
  const entries = Object.entries<{ shape: readonly number[]; values: Values }>(given);
  const tensors = Object.fromEntries(entries.map(([name, { shape }]) => [name, graph.external(name, shape)]));
  const made = Object.entries<Tensor>(append(graph, tensors as Record<N, Tensor>));
  for (const [, tensor] of made) graph.kept.add(tensor);
  if (where !== "GPU") {
    const all = interpret(graph, new Map(entries.map(([name, { values }]) => [name, values])));
    return Object.fromEntries(made.map(([name, tensor]) => [name, all.get(tensor)!])) as Record<R, Values>;
  }
  const program = await Program.create(gpu, { label: "loss", graph });
  for (const [name, { values }] of entries) gpu.write(program.buffer(tensors[name]!), Float32Array.from(values));
  await program.run();
  const result: [string, Values][] = [];
  for (const [name, tensor] of made) result.push([name, await program.readTensor(tensor)]);
  program.destroy();
  return Object.fromEntries(result) as Record<R, Values>;
}

for (const where of ["float64 reference", "GPU"] as const) {
  describe(`losses as recorded, ${where}`, () => {
    const file = new RawTensors("training/loss.safetensors");
    const get = (name: string) => ({ shape: file.shapes.get(name)!, values: file.values(name) });
    const close = (a: Values, b: Values) => expect(relativeError(a, b)).toBeLessThan(where === "GPU" ? 1e-6 : 1e-12);
    const params = { batch: 3, elements: 24, sigmaData: 0.5, factor: 1 };

    /** The recorded gradients are of the sum of `up` times the loss. */
    const weighted = (recorded: { du: Values; loss: Values; u: Values; up: Values }, du: Values) => {
      const terms = Float64Array.from(recorded.loss, (v, i) => 1 - (v - recorded.u[Math.floor(i / 24)]!));
      // That the terms are those of the recorded gradient: then their plain sum is ours.
      expect(relativeError(perImage(times(terms, recorded.up), 3), recorded.du)).toBeLessThan(1e-12);
      close(du, perImage(terms, 3));
    };

    it("denoising, at three levels", async () => {
      const [D, x0] = [get("loss.denoise.D"), get("loss.denoise.x")];
      const [t, u] = [get("loss.denoise.t"), get("loss.denoise.logvar")];
      const made = await evaluate(where, { D, x0, t, u }, (graph, tensors) =>
        denoisingLoss(graph, "loss", params, tensors),
      );
      const [loss, up] = [get("loss.denoise.out.f64").values, get("loss.denoise.up").values];
      close(made.loss, loss);
      close(times(made.dD, up), get("loss.denoise.grad.D.f64").values);
      weighted({ du: get("loss.denoise.grad.logvar.f64").values, loss, u: u.values, up }, made.du);
    });

    it("both terms of the generator", async () => {
      const [s, s0] = [get("loss.vsd.s"), get("loss.vsd.s0")];
      const [t, u] = [get("loss.vsd.t"), get("loss.vsd.logvar")];
      const [x, noise, dd] = ["x", "noise", "dd"].map((name) => get(`loss.vsd.${name}`).values) as [
        Float64Array,
        Float64Array,
        Float64Array,
      ];
      const moved = Float64Array.from(x, (v, i) => v + t.values[Math.floor(i / 24)]! * noise[i]!);
      const z = { shape: [3], values: perImage(times(moved, dd), 3) };
      const made = await evaluate(where, { s, s0, t, u, z }, (graph, tensors) => ({
        ...distillationLoss(graph, "vsd", params, tensors),
        gan: logisticLoss(graph, "gan", { batch: 3, real: true, factor: 1 }, tensors.z).loss,
        dz: logisticLoss(graph, "gan again", { batch: 3, real: true, factor: 1 }, tensors.z).dz,
      }));
      const [loss, up] = [get("loss.vsd.vsd.f64").values, get("loss.vsd.up.vsd").values];
      const ofImage = get("loss.vsd.up.gan").values;
      close(made.loss, loss);
      close(made.gan, get("loss.vsd.gan.f64").values);
      const gradient = times(made.dx, up).map(
        (v, i) => v + ofImage[Math.floor(i / 24)]! * made.dz[Math.floor(i / 24)]! * dd[i]!,
      );
      close(gradient, get("loss.vsd.grad.x.f64").values);
      weighted({ du: get("loss.vsd.grad.logvar.f64").values, loss, u: u.values, up }, made.du);
    });

    const logits = new RawTensors("training/bce.safetensors");
    for (const kind of ["real", "fake"]) {
      it(`logistic, ${kind}, logits up to 100`, async () => {
        const z = { shape: [7, 1], values: logits.values(`bce.${kind}.z`) };
        const { loss, dz } = await evaluate(where, { z }, (graph, tensors) =>
          logisticLoss(graph, "loss", { batch: 7, real: kind === "real", factor: 1 }, tensors.z),
        );
        const recorded = logits.values(`bce.${kind}.out.f64`);
        close(loss, recorded);
        close(times(dz, logits.values(`bce.${kind}.up`)), logits.values(`bce.${kind}.grad.z.f64`));
        // Each by itself: beside 100 a tail of 1e-13 would not be seen in the norm. Recorded is ln(1 + tail), tails are exact to
        // an epsilon of 1. Below 1e-38 f32 has none.
        for (const [i, value] of recorded.entries()) {
          const x = kind === "real" ? -z.values[i]! : z.values[i]!;
          const exact = Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));
          expect(Math.abs(exact - value)).toBeLessThanOrEqual(2.3e-16 * Math.max(1, value));
          expect(Math.abs(loss[i]! - exact)).toBeLessThanOrEqual(1e-6 * exact + 1e-36);
        }
      });
    }
  });
}

describe("the sum over an image", () => {
  const random = normalSource(5);
  const batch = 3;
  const elements = 350_001;
  const params = { batch, elements, sigmaData: 0.5, factor: 1 / 8 };
  // Errors as large as the uncertainty says: the terms cancel but for chance.
  const t = [0.01, 0.5, 40];
  const lambda = t.map((v) => (v * v + 0.25) / (v * 0.5) ** 2);
  const u = [-2.5, 0.3, 1.7];
  const draw = (of: (n: number) => number) =>
    Float32Array.from({ length: batch * elements }, (_, i) => of(Math.floor(i / elements)));
  const x0 = draw(() => random());
  const D = Float32Array.from(
    draw((n) => random() * Math.sqrt(Math.exp(u[n]!) / lambda[n]!)),
    (v, i) => v + x0[i]!,
  );
  const given = (first: number, count: number) => {
    const part = (values: Float32Array) => ({
      shape: [count, elements],
      values: values.subarray(first * elements, (first + count) * elements),
    });
    const each = (values: number[]) => ({
      shape: [count],
      values: Float32Array.from(values.slice(first, first + count)),
    });
    return { D: part(D), x0: part(x0), t: each(t), u: each(u) };
  };
  const run = (where: "float64 reference" | "GPU", first: number, count: number) =>
    evaluate(where, given(first, count), (graph, tensors) =>
      denoisingLoss(graph, "loss", { ...params, batch: count }, tensors),
    );

  it("loses no more than the rounding of its weight, where a million terms cancel", async () => {
    const exact = await run("float64 reference", 0, batch);
    const { du } = await run("GPU", 0, batch);
    for (let n = 0; n < batch; n++) {
      // The terms' own size, 1, times their number is what the rounding of lambda e^-u scales.
      expect(Math.abs(exact.du[n]!)).toBeLessThan(0.01 * params.factor * elements);
      expect(Math.abs(du[n]! - exact.du[n]!)).toBeLessThan(5e-7 * params.factor * elements);
    }
  });

  it("is the same bits whatever the batch", async () => {
    const together = await run("GPU", 0, batch);
    const alone = await run("GPU", 1, 1);
    expect(alone.du[0]).toBe(together.du[1]);
    const bytes = (values: Values) => Buffer.from(Float32Array.from(values).buffer);
    for (const name of ["loss", "dD"] as const) {
      const part = Array.from(together[name]).slice(elements, 2 * elements);
      expect(bytes(alone[name]).equals(bytes(part))).toBe(true);
    }
  });
});
