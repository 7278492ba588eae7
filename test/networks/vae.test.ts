import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openCheckpoint, writeSafetensors } from "../../src/checkpoint/index.js";
import type { Gpu } from "../../src/gpu/device.js";
import { planMemory } from "../../src/graph/plan.js";
import { normalSource, relativeError } from "../../src/graph/run-kernel.js";
import { buildDecoder } from "../../src/networks/vae/decoder.js";
import { pixelByte, toFinalLatents, toRawLatents } from "../../src/networks/vae/latents.js";
import { valuesInQueries } from "../../src/networks/vae/middle.js";
import { vaeStructure } from "../../src/networks/vae/structure.js";
import { Vae } from "../../src/networks/vae/vae.js";
import { openTestGpu, withTestGpu } from "../support/gpu.js";
import { randomVae, SMALL_VAE } from "../support/random-vae.js";
import { decode, encode } from "../support/reference-vae.js";

const [H, W] = [6, 10];
const random = normalSource(11);
const latents = Float32Array.from({ length: 2 * 4 * H * W }, () => 0.5 * random());
const shape = [2, 4, H, W] as const;

/** The float64 decoder on the same latents, image by image. */
function reference(weights: ReturnType<typeof randomVae>["weights"], layers: readonly string[]): number[] {
  const raw = toRawLatents(latents, H * W);
  return [0, 1].flatMap((n) => {
    const data = Float64Array.from(raw.subarray(n * 4 * H * W, (n + 1) * 4 * H * W));
    return [...decode(weights, layers, { data, c: 4, h: H, w: W }).data];
  });
}

/** The values [C] that query `i` of q, k, v [C, pixels] attends to, in float64. */
function softmaxValues(q: Float32Array, k: Float32Array, v: Float32Array, channels: number, i: number): number[] {
  const pixels = q.length / channels;
  const all = Array.from({ length: channels }, (_, c) => c * pixels);
  const logits = Float64Array.from({ length: pixels }, (_, j) => {
    return all.reduce((sum, at) => sum + q[at + i]! * k[at + j]!, 0) / Math.sqrt(channels);
  });
  const top = logits.reduce((a, b) => Math.max(a, b));
  const terms = logits.map((logit) => Math.exp(logit - top));
  const total = terms.reduce((a, b) => a + b, 0);
  return all.map((at) => terms.reduce((sum, term, j) => sum + term * v[at + j]!, 0) / total);
}

describe("decoding latents", () => {
  let gpu: Gpu;
  const { weights, file } = randomVae(SMALL_VAE);
  const expected = reference(weights, ["to_q", "to_k", "to_v", "to_out.0"]);
  beforeAll(async () => {
    gpu = await openTestGpu();
  });
  afterAll(() => gpu.close());

  it("is the float64 decoder's picture, two images at a time", async () => {
    const vae = await Vae.open(gpu, file);
    const { images, shape: size } = await vae.decode(latents, shape);
    expect(size).toEqual([2, 3, 4 * H, 4 * W]);
    expect(relativeError(images, expected)).toBeLessThan(2e-5);
    // The second time nothing is built, and one image alone is the same to the bit.
    const one = await vae.decode(latents.subarray(0, 4 * H * W), [1, 4, H, W]);
    expect(one.images).toEqual(images.subarray(0, images.length / 2));
    await vae.close();
    await expect(vae.decode(latents, shape)).rejects.toThrow(/^The VAE .* is closed: open it again/);
  });

  for (const stripRows of [1, 3, 8, 100]) {
    it(`in strips of ${stripRows} rows it is the same: no seams`, async () => {
      const vae = await Vae.open(gpu, file);
      // Both ways with the same weights.
      await vae.decode(latents.subarray(0, 4 * H * W), [1, 4, H, W]);
      const { images } = await vae.decode(latents.subarray(0, 4 * H * W), [1, 4, H, W], { stripRows });
      expect(relativeError(images, expected.slice(0, images.length))).toBeLessThan(2e-5);
      const worst = Math.max(...images.map((v, i) => Math.abs(v - expected[i]!)));
      expect(worst).toBeLessThan(0.01 / 255);
      await vae.close();
    });
  }

  it("takes strips by itself where the whole does not fit; where not even they do, that is an error", async () => {
    const { graph } = buildDecoder(SMALL_VAE, H, W);
    const { constantBytes, activationBytes } = planMemory(graph, "f32");
    const first = latents.subarray(0, 4 * H * W);
    const little = await openTestGpu({ memoryLimit: 1.1 * (constantBytes + activationBytes) });
    try {
      const vae = await Vae.open(little, file);
      expect(vae.fitsWhole(H, W)).toBe(false);
      const { images } = await vae.decode(first, [1, 4, H, W]);
      expect(relativeError(images, expected.slice(0, images.length))).toBeLessThan(2e-5);
    } finally {
      little.close();
    }
    const less = await openTestGpu({ memoryLimit: 0.5 * constantBytes });
    try {
      const vae = await Vae.open(less, file);
      await expect(vae.decode(first, [1, 4, H, W])).rejects.toMatchObject({ code: "OUT_OF_MEMORY" });
    } finally {
      less.close();
    }
  });

  for (const precision of ["f16", "f16-weights"] as const) {
    it(`${precision} storage stays within a level of brightness`, async () => {
      const half = await openTestGpu({ precision });
      try {
        const vae = await Vae.open(half, file);
        const { images } = await vae.decode(latents, shape);
        const error = relativeError(images, expected);
        console.info(`VAE in ${half.precision}: ${error.toExponential(1)}`);
        expect(error).toBeLessThan(5e-3);
        const strips = await vae.decode(latents, shape, { stripRows: 5 });
        expect(relativeError(strips.images, expected)).toBeLessThan(5e-3);
      } finally {
        half.close();
      }
    });
  }

  it("latents whose attention exceeds one binding: some queries at a time, to the same picture", async () => {
    const [rows, width] = [20, 304];
    const logits = 4 * (rows * width) ** 2;
    const tiny = randomVae({ ...SMALL_VAE, channels: [32], resnets: 1 }).file;
    const few = await openTestGpu();
    try {
      const vae = await Vae.open(few, tiny);
      const { maxStorageBufferBindingSize } = few.device.limits;
      expect(vae.fitsWhole(rows, width)).toBe(logits <= maxStorageBufferBindingSize);
      const large = Float32Array.from({ length: 4 * rows * width }, normalSource(3));
      const { images } = await vae.decode(large, [1, 4, rows, width]);
      const parts = await vae.decode(large, [1, 4, rows, width], { stripRows: 7 });
      expect(relativeError(images, parts.images)).toBeLessThan(1e-5);
      expect(new Set(images).size).toBeGreaterThan(1000);
    } finally {
      few.close();
    }
  });

  it("attention over some queries at a time is the float64 softmax, past one binding and in a last part that overlaps", async () => {
    const size = { channels: 32, height: 20, width: 304 };
    const pixels = size.height * size.width;
    const source = normalSource(7);
    const draw = () => Float32Array.from({ length: size.channels * pixels }, source);
    const [q, k, v] = [draw(), draw(), draw()];
    const few = await openTestGpu();
    try {
      const vae = await Vae.open(few, file);
      const operands = new Map(["k", "v"].map((name) => [name, few.storage(name, 4 * q.length)]));
      for (const [name, values] of Object.entries({ k, v })) few.write(operands.get(name)!, values);
      for (const most of [pixels, 1000]) {
        const values = await valuesInQueries(vae, size, q, operands, most);
        // The first part's end and the second's begin, where all do not fit; the last two parts of 1000.
        for (const first of [pixels / 2 - 8, 996, pixels - 88, pixels - 16]) {
          const columns = Array.from({ length: 16 }, (_, i) => first + i);
          const found = columns.flatMap((i) =>
            Array.from({ length: size.channels }, (_, c) => values[c * pixels + i]!),
          );
          const wanted = columns.flatMap((i) => softmaxValues(q, k, v, size.channels, i));
          expect(relativeError(found, wanted)).toBeLessThan(1e-5);
        }
      }
    } finally {
      few.close();
    }
  });

  it("latents that are not finite, or of another shape, are errors", async () => {
    const vae = await Vae.open(gpu, file);
    const broken = latents.slice(0, 4 * H * W);
    broken[5] = Number.NaN;
    await expect(vae.decode(broken, [1, 4, H, W])).rejects.toMatchObject({ code: "NOT_FINITE" });
    await expect(vae.decode(latents, [2, 3, H, W])).rejects.toMatchObject({ code: "BAD_ARGUMENT" });
    await expect(vae.decode(latents, [1, 4, H, W])).rejects.toMatchObject({ code: "BAD_ARGUMENT" });
    await vae.close();
  });

  it("the attention's old names are the same layers", async () => {
    const rename = new Map(Object.entries({ to_q: "query", to_k: "key", to_v: "value", "to_out.0": "proj_attn" }));
    const tensors = [...weights].map(([name, { shape: extents, values }]) => {
      const own = [...rename.keys()].find((layer) => name.includes(`attentions.0.${layer}.`));
      return {
        name: own ? name.replace(own, rename.get(own)!) : name,
        dtype: "F32",
        shape: own && name.endsWith("weight") ? [...extents, 1, 1] : extents,
        data: values as Float32Array,
      };
    });
    const vae = await Vae.open(gpu, writeSafetensors(tensors));
    const { images } = await vae.decode(latents, shape);
    expect(relativeError(images, expected)).toBeLessThan(2e-5);
    await vae.close();
  });
});

describe("encoding pictures", () => {
  let gpu: Gpu;
  withTestGpu((own) => (gpu = own));

  it("gives the float64 encoder's means and standard deviations", async () => {
    const { weights, file } = randomVae(SMALL_VAE, 9, true);
    const vae = await Vae.open(gpu, file);
    const [h, w] = [16, 24];
    const images = Float32Array.from({ length: 2 * 3 * h * w }, (_, i) => 0.5 + 0.5 * Math.sin(i * i));
    const { latents: found, shape: size } = await vae.encode(images, [2, 3, h, w]);
    expect(size).toEqual([2, 8, 4, 6]);
    const expected = [0, 1].flatMap((n) => {
      const data = Float64Array.from(images.subarray(n * 3 * h * w, (n + 1) * 3 * h * w));
      const moments = encode(weights, ["to_q", "to_k", "to_v", "to_out.0"], { data, c: 3, h, w }).data;
      return [...moments].map((v, i) => (i < 96 ? v : Math.exp(v / 2)));
    });
    expect(relativeError(found, expected)).toBeLessThan(2e-5);
    await expect(vae.encode(images, [2, 3, w, h - 1])).rejects.toMatchObject({ code: "BAD_ARGUMENT" });
    await vae.close();
    const decoderOnly = await Vae.open(gpu, randomVae(SMALL_VAE).file);
    await expect(decoderOnly.encode(images, [2, 3, h, w])).rejects.toThrow(/'encoder.conv_in.weight' .* is missing/);
    await decoderOnly.close();
  });
});

describe("the file", () => {
  const { weights } = randomVae(SMALL_VAE);
  const without = (change: (name: string) => boolean, more: object = {}) =>
    openCheckpoint(
      writeSafetensors(
        [...weights]
          .filter(([name]) => !change(name))
          .map(([name, { shape: extents, values }]) => ({
            name,
            dtype: "F32",
            shape: extents,
            data: values as Float32Array,
            ...(name === "decoder.conv_out.bias" ? more : {}),
          })),
      ),
    );
  it.each([
    [/it is no AutoencoderKL/, (name: string) => name.startsWith("decoder.conv_out")],
    [/tensor 'post_quant_conv.weight' \[4, 4, 1, 1\] is missing/, (name: string) => name === "post_quant_conv.weight"],
    [/attention of its middle is missing/, (name: string) => name.includes("to_q")],
    [/conv_shortcut.weight' .* is missing/, (name: string) => name.includes("conv_shortcut.weight")],
  ] as const)("%s", async (message, change) => {
    const checkpoint = await without(change);
    expect(() => vaeStructure(checkpoint)).toThrow(message);
    expect(() => vaeStructure(checkpoint)).toThrow(expect.objectContaining({ code: "BAD_CHECKPOINT" }));
  });

  it("tensors of the encoder may be there; a wrong shape is named", async () => {
    const more = { shape: [1, 3], data: new Float32Array(3) };
    const checkpoint = await without(() => false, more);
    expect(() => vaeStructure(checkpoint)).toThrow(/'decoder.conv_out.bias' has shape \[1, 3\]/);
  });
});

it("latents and bytes are scaled as the reference scales them", async () => {
  const path = new URL("../fixtures/primitives/encoders.safetensors", import.meta.url);
  const file = await openCheckpoint(new Uint8Array(readFileSync(path)));
  const pixels = 3 * 5;
  const [latent, input, output, raw, noise, final] = (await Promise.all(
    ["latent", "decoder_input", "decoder_output", "raw", "noise.0", "final"].map((name) => file.readF32(`vae.${name}`)),
  )) as [Float32Array, Float32Array, Float32Array, Float32Array, Float32Array, Float32Array];
  expect(relativeError(toRawLatents(latent, pixels), input)).toBeLessThan(1e-6);
  // An entry of the data set holds mean and standard deviation, eight channels.
  const drawn = noise.map((z, i) => {
    const at = Math.floor(i / (4 * pixels)) * 8 * pixels + (i % (4 * pixels));
    return raw[at]! + raw[at + 4 * pixels]! * z;
  });
  expect(relativeError(toFinalLatents(drawn, pixels), final)).toBeLessThan(1e-6);
  expect([...output].map(pixelByte)).toEqual([...(await file.readBytes("vae.pixels_u8"))]);
});

it("a byte of the picture is truncated after clipping", () => {
  expect([-1, 0, 0.5, 0.999, 1, 2].map(pixelByte)).toEqual([0, 0, 127, 254, 255, 255]);
  const x = Float32Array.from({ length: 16 }, (_, i) => i / 4 - 2);
  const back = toFinalLatents(toRawLatents(x, 4), 4);
  expect(Math.max(...back.map((v, i) => Math.abs(v - x[i]!)))).toBeLessThan(1e-6);
});
