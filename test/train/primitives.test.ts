import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { attention } from "../../kernels/network/attention/kernel.js";
import { discPool } from "../../kernels/network/disc-pool/kernel.js";
import { mpCat } from "../../kernels/network/mp-cat/kernel.js";
import { mpSilu } from "../../kernels/network/mp-silu/kernel.js";
import { mpSum } from "../../kernels/network/mp-sum/kernel.js";
import { pixelNorm } from "../../kernels/network/pixel-norm/kernel.js";
import { resample } from "../../kernels/network/resample/kernel.js";
import type { Gpu } from "../../src/gpu/device.js";
import type { Tensor } from "../../src/graph/graph.js";
import type { Build } from "../../src/layers/layers.js";
import { trained } from "../../src/layers/trained.js";
import { openTestGpu } from "../support/gpu.js";
import { RawTensors } from "../support/raw-tensors.js";
import { RecordedCase, Verdict } from "../support/recorded-case.js";

let device: Gpu;
beforeAll(async () => {
  device = await openTestGpu();
});
afterAll(() => device.close());

const open = (name: string) => new RawTensors(`training/primitives/${name}.safetensors`);
const large = new RawTensors("training/large.safetensors");

/** Layers with changing weights in the graph of a case. */
function layersOf(replay: RecordedCase, batch: number) {
  const { layers, rules, stored, weights } = trained();
  const build: Build = { graph: replay.graph, batch, layers, wants: () => false, tap() {} };
  return { build, layers, rules, stored, weights };
}

for (const where of ["float64 reference", "GPU"] as const) {
  describe(where, () => {
    const gpu = () => (where === "GPU" ? device : undefined);

    /** Replays a case and compares all that it gives. @param exact bound of the references: larger where results are rounded */
    const check = async (
      file: RawTensors,
      name: string,
      append: (replay: RecordedCase) => ReturnType<typeof given> | Promise<ReturnType<typeof given>>,
      exact = 1e-12,
    ) => {
      const verdict = new Verdict(file, where === "GPU" ? undefined : exact);
      const found = await append(new RecordedCase(gpu(), file, name));
      for (const [key, values] of found) if (file.has(`${name}.${key}.f64`)) verdict.compare(`${name}.${key}`, values);
      const behind = file.names.flatMap((key) => (key.startsWith(`${name}.`) ? [key.slice(name.length + 1)] : []));
      const recorded = behind.filter((key) => /^(out|w_after|grad\.[a-z]+)\.f64$/.test(key));
      expect(recorded.filter((key) => !found.has(key.slice(0, -4)))).toEqual([]);
      verdict.end(`${name}, ${where}`);
    };
    const given = (replay: RecordedCase, out: Tensor, inputs: Readonly<Record<string, Tensor>>) =>
      replay.run({ out, gradients: new Map(Object.entries(inputs).map(([name, x]) => [`grad.${name}`, x])) });

    /** An elementwise mp_sum. */
    const summed = (
      replay: RecordedCase,
      a: Tensor,
      b: Tensor,
      options: { t?: number; clip?: number; w?: Tensor } = {},
    ) => {
      const { t = null, clip = null, w } = options;
      const sizes = { elements: a.length, perImage: a.length / a.shape[0]!, type: a.type as "f32" | "act" };
      const params = { ...sizes, t, clip, weightIndex: 0, weights: w ? 1 : 0 };
      return replay.graph.run("mp_sum", mpSum, params, { a, b, w }, { out: a.shape }).out;
    };

    describe("normalize", () => {
      const normalize = open("normalize");
      it("of the channels of a pixel", () =>
        check(normalize, "normalize.pixel", (replay) => {
          const x = replay.input("x");
          const [batch, channels, height, width] = x.shape as [number, number, number, number];
          const params = { batch, channels, pixels: height * width, silu: false };
          return given(replay, replay.graph.run("norm", pixelNorm, params, { x }, { y: x.shape }).y, { x });
        }));
      // A linear layer's answers to unit vectors are the columns of its effective weight.
      it("of a weight's rows", () =>
        check(normalize, "normalize.weight", async (replay) => {
          const [rows] = replay.shape("x");
          const { length } = replay.values("x");
          const fanIn = length / rows!;
          const turned = (values: ArrayLike<number>, across: number) =>
            Float64Array.from(
              { length },
              (_, i) => values[(i % (length / across)) * across + Math.floor(i / (length / across))]!,
            );
          const { build, layers, rules, stored, weights } = layersOf(replay, fanIn);
          const units = Float64Array.from({ length: fanIn ** 2 }, (_, i) => (i % (fanIn + 1) === 0 ? 1 : 0));
          replay.given.set("units", units).set("x", replay.values("x"));
          // Against the division by sqrt(fanIn).
          const layer = { inFeatures: fanIn, outFeatures: rows!, weight: "x", factor: Math.sqrt(fanIn) };
          const out = layers.linear(build, "norm", layer, replay.graph.external("units", [fanIn, fanIn]));
          const gradients = new Map([["grad.x", stored.get("x")!]]);
          const made = await replay.run({ out, gradients, rules, weights }, turned(replay.values("up"), fanIn));
          return made.set("out", turned(made.get("out")!, rows!));
        }));
      // In attention to a single pixel the result is the normalised value: of each of q, k, v in turn.
      it("of the width of a head", async () => {
        const [images, heads, headDim, three, pixels] = normalize.shapes.get("normalize.heads.x")! as number[];
        const batch = images! * pixels!;
        const found = new Map(["out", "grad.x"].map((key) => [key, new Float64Array(batch * heads! * headDim! * 3)]));
        for (let s = 0; s < three!; s++) {
          const replay = new RecordedCase(gpu(), normalize, "normalize.heads");
          /** For element (image, head, c) of a batch of pixels, its place in the recorded tensor. */
          const places = Array.from({ length: batch * heads! * headDim! }, (_, i) => {
            const [c, head, image] = [
              i % headDim!,
              Math.floor(i / headDim!) % heads!,
              Math.floor(i / headDim! / heads!),
            ];
            const [n, q] = [Math.floor(image / pixels!), image % pixels!];
            return (((n * heads! + head) * headDim! + c) * three! + s) * pixels! + q;
          });
          const part = (values: Float64Array) => Float64Array.from(places, (place) => values[place]!);
          const v = part(replay.values("x"));
          const qkv = replay.graph.external("qkv", [batch, 3 * heads! * headDim!, 1, 1], "act");
          replay.given.set(
            "qkv",
            Float64Array.from({ length: 3 * v.length }, (_, i) => v[Math.floor(i / 3)]!),
          );
          const params = { batch, heads: heads!, headDim: headDim!, pixels: 1 };
          const shape = { y: [batch, heads! * headDim!, 1, 1] };
          const { y } = replay.graph.run("attention", attention, params, { qkv }, shape);
          const up = part(replay.values("up"));
          const made = await replay.run({ out: y, gradients: new Map([["grad.x", qkv]]) }, up);
          places.forEach((place, i) => {
            found.get("out")![place] = made.get("out")![i]!;
            found.get("grad.x")![place] = made.get("grad.x")![3 * i + 2]!;
          });
        }
        const verdict = new Verdict(normalize, where === "GPU" ? undefined : 1e-12);
        for (const [key, values] of found) verdict.compare(`normalize.heads.${key}`, values);
        verdict.end(`normalize.heads, ${where}`);
      });
      it("over 300 channels", () =>
        check(
          large,
          "large.pixel_norm",
          (replay) => {
            const x = replay.input("x");
            const params = { batch: 1, channels: 300, pixels: 35, silu: false };
            return given(replay, replay.graph.run("norm", pixelNorm, params, { x }, { y: x.shape }).y, { x });
          },
          1e-7,
        ));
    });

    for (const type of ["f32", "act"] as const)
      it(`mp_silu up to 120, ${type}`, () =>
        check(open("mp_silu"), "mp_silu", (replay) => {
          const x = replay.input("x", type);
          const params = { elements: x.length, perImage: x.length / x.shape[0]!, type };
          return given(replay, replay.graph.run("silu", mpSilu, params, { x }, { y: x.shape }).y, { x });
        }));

    it("mp_sum", () =>
      check(open("mp_sum"), "mp_sum.t0.3", (replay) => {
        const [a, b] = [replay.input("a"), replay.input("b")];
        return given(replay, summed(replay, a, b, { t: 0.3 }), { a, b });
      }));
    // The embedding of a batch's only level: rows are equal here, and their gradients are added.
    it("mp_sum with a broadcast operand", () =>
      check(open("mp_sum"), "mp_sum.t0.5_broadcast", async (replay) => {
        const b = replay.input("b", "f32");
        const row = replay.values("a");
        const a = replay.graph.external("a", b.shape, "f32");
        replay.given.set(
          "a",
          Float64Array.from({ length: b.length }, (_, i) => row[i % row.length]!),
        );
        const found = await given(replay, summed(replay, a, b, { t: 0.5 }), { a, b });
        const sums = new Float64Array(row.length);
        Array.from(found.get("grad.a")!).forEach((v, i) => {
          sums[i % row.length]! += v;
        });
        return found.set("grad.a", sums);
      }));
    for (const stored of ["w0", "w0.37", "w1", "w-0.2", "w1.3"])
      it(`mp_sum with a learned weight, ${stored}`, () =>
        check(open("mp_sum_learned"), `mp_sum_learned.${stored}`, (replay) => {
          const [a, b, w] = [replay.input("a"), replay.input("b"), replay.input("w", "f32")];
          return given(replay, summed(replay, a, b, { w }), { a, b, w });
        }));
    it("mp_sum with a learned weight, 32,016 entries", () =>
      check(large, "large.mp_sum_learned", (replay) => {
        const [a, w] = [replay.input("a"), replay.input("w", "f32")];
        const width = a.shape.at(-1)!;
        const values = replay.values("a");
        const b = replay.graph.external("b", a.shape, "act");
        const rolled = values.map((_, i) => values[i - (i % width) + ((i + width - 1) % width)]!);
        replay.given.set("b", rolled);
        return replay.run(
          { out: summed(replay, a, b, { w }), gradients: new Map([["grad.w", w]]) },
          replay.values("up"),
        );
      }));

    for (const [name, t] of [
      ["t0.5", 0.5],
      ["t0.35", 0.35],
    ] as const)
      it(`mp_cat, ${name}`, () =>
        check(open("mp_cat"), `mp_cat.${name}`, (replay) => {
          const [a, b] = [replay.input("a"), replay.input("b")];
          const [batch, channelsA, height, width] = a.shape as [number, number, number, number];
          const [channelsB, pixels] = [b.shape[1]!, height * width];
          const params = { batch, channelsA, channelsB, pixels, t, raw: true, silu: false };
          const shape = { y: [batch, channelsA + channelsB, height, width] };
          return given(replay, replay.graph.run("mp_cat", mpCat, params, { a, b }, shape).y, { a, b });
        }));

    describe("resample", () => {
      const file = open("resample");
      const cases = JSON.parse(file.metadata.config!) as Record<string, { f: number[]; mode: "up" | "down" }>;
      for (const [name, { f, mode }] of Object.entries(cases))
        it(name, () =>
          check(file, name, (replay) => {
            const x = replay.input("x");
            const [batch, channels, height, width] = x.shape as [number, number, number, number];
            const params = { batch, channels, height, width, filter: f, mode };
            const shape = { y: replay.shape("out.f64") };
            return given(replay, replay.graph.run("resample", resample, params, { x }, shape).y, { x });
          }),
        );
    });

    // The clip rides on the sum at the end of a block: with nothing of the other operand.
    it("clip, borders included", () =>
      check(open("clip"), "clip", (replay) => {
        const x = replay.input("x");
        const b = replay.graph.external("b", x.shape, "act");
        replay.given.set("b", new Float64Array(x.length));
        return given(replay, summed(replay, x, b, { t: 0, clip: 1.5 }), { x });
      }));

    describe("MPConv", () => {
      const file = open("mp_conv");
      const cases = Object.entries(
        JSON.parse(file.metadata.config!) as Record<string, { train: boolean; gain: 1 | "learned" }>,
      );
      const conv = async (replay: RecordedCase, { train, gain }: { train: boolean; gain: 1 | "learned" }) => {
        const shape = replay.shape("w");
        const convolution = shape.length === 4;
        const x = replay.input("x", convolution ? "act" : "f32");
        const { build, layers, rules, stored, weights } = layersOf(replay, x.shape[0]!);
        const gained = gain === "learned" ? { gain: "gain" } : {};
        const [outs, ins] = shape as [number, number];
        const out = convolution
          ? layers.conv(
              build,
              "conv",
              {
                inChannels: ins,
                outChannels: outs,
                height: x.shape[2]!,
                width: x.shape[3]!,
                kernel: shape[2] as 1 | 3,
                weight: "w",
                ...gained,
              },
              x,
            )
          : layers.linear(build, "linear", { inFeatures: ins, outFeatures: outs, weight: "w", ...gained }, x);
        replay.given.set("w", replay.values("w"));
        const wrt = new Map([...stored, ["x", x] as const].map(([name, tensor]) => [`grad.${name}`, tensor]));
        return replay.run({ out, gradients: wrt, rules, weights, train });
      };
      for (const [name, options] of cases)
        it(name, () =>
          check(file, name, async (replay) => {
            const found = await conv(replay, options);
            return found.set("w_after", replay.stored.get("w")!);
          }),
        );
      it("3x3, 35 to 70 channels, 17x19 pixels", () =>
        check(large, "large.conv3", (replay) => conv(replay, { train: false, gain: "learned" }), 1e-7));
      it("linear, 130 to 33 features, 67 rows", () =>
        check(large, "large.linear", (replay) => conv(replay, { train: false, gain: "learned" }), 1e-7));
    });

    it("the discriminator's head", () =>
      check(open("disc_head"), "disc_head", (replay) => {
        const [a, b] = [replay.input("ctrl"), replay.input("enc")];
        const [batch, channelsA, height, width] = a.shape as [number, number, number, number];
        const channelsB = b.shape[1]!;
        const params = { batch, channelsA, channelsB, pixels: height * width };
        const shape = { y: [batch, channelsA + channelsB] };
        const { y } = replay.graph.run("pool", discPool, params, { a, b }, shape);
        const { build, layers, rules, stored, weights } = layersOf(replay, batch);
        const layer = { inFeatures: channelsA + channelsB, outFeatures: 1, weight: "w" };
        const out = layers.linear(build, "linear", layer, y);
        replay.given.set("w", replay.values("w"));
        const wrt = { "grad.ctrl": a, "grad.enc": b, "grad.w": stored.get("w")! };
        return replay.run({ out, gradients: new Map(Object.entries(wrt)), rules, weights });
      }));
  });
}
