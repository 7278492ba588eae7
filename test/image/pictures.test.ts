import { readFile } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import { encodePng, fromImage, toImageData } from "../../src/image/pictures.js";
import { fromByte } from "../../src/image/pixels.js";
import { decodePng } from "../../src/image/png.js";
import { psnr, ssim } from "../../src/image/quality.js";
import { Recording } from "../support/fixtures.js";

const ramp = (length: number) => Float32Array.from({ length }, (_, i) => fromByte((i * 7) % 256));

describe("pictures in and out of the library", () => {
  it.each([
    [1, 5, 7],
    [3, 4, 6],
  ] as const)("a PNG of [%i, %i, %i] comes back to the bit, and so does what a canvas holds", async (c, h, w) => {
    const values = ramp(c * h * w);
    const shape = [c, h, w] as const;
    const png = encodePng(values, shape, { text: { seed: "7" } });
    expect(decodePng(png).text).toEqual({ seed: "7" });
    expect(await fromImage(png, { shape })).toEqual(values);
    const canvas = toImageData(values, shape);
    expect([canvas.width, canvas.height, canvas.data.length]).toEqual([w, h, 4 * w * h]);
    expect(await fromImage(canvas, { shape, fit: "none" })).toEqual(values);
  });

  it("lays a batch out in rows", () => {
    const values = Float32Array.from({ length: 5 * 4 }, (_, i) => fromByte(40 * Math.floor(i / 4)));
    const { width, height, data } = decodePng(encodePng(values, [5, 1, 2, 2]));
    expect([width, height]).toEqual([6, 4]);
    expect([0, 2, 4].map((x) => data[x])).toEqual([0, 40, 80]);
    expect([0, 2, 4].map((x) => data[2 * 6 + x])).toEqual([120, 160, 0]);
  });

  it("crops what stands out, pads what is missing, and says so where nothing may change", async () => {
    // Left half black, right half white, twice as wide as high.
    const values = Float32Array.from({ length: 8 * 16 }, (_, i) => (i % 16 < 8 ? -1 : 1));
    const png = encodePng(values, [1, 8, 16]);
    const shape = [1, 8, 8] as const;
    const crop = await fromImage(png, { shape });
    expect([crop[3], crop[4]]).toEqual([-1, 1]);
    const pad = await fromImage(png, { shape, fit: "pad" });
    const rows = Array.from({ length: 8 }, (_, y) => pad[8 * y + 7]);
    expect(rows).toEqual([-1, -1, 1, 1, 1, 1, -1, -1]);
    await expect(fromImage(png, { shape, fit: "none" })).rejects.toThrow(/16x8, wanted is 8x8/);
  });

  it("reads a JPEG, and lays what is transparent over white", async () => {
    const file = (name: string) => readFile(new URL(`../fixtures/jpeg/${name}`, import.meta.url));
    const { width, height } = decodePng(await file("exif6.png"));
    const shape = [3, height, width] as const;
    const jpeg = await fromImage(await file("exif6.jpg"), { shape, fit: "none" });
    expect(psnr(jpeg, await fromImage(await file("exif6.png"), { shape }))).toBeGreaterThan(60);
    const clear = { width: 1, height: 1, data: Uint8Array.of(0, 0, 0, 0) };
    expect([...(await fromImage(clear, { shape: [3, 1, 1] }))]).toEqual([1, 1, 1]);
  });

  it("measures as the recording does", async () => {
    const recording = await Recording.open("metrics/image_quality.safetensors");
    const name = recording.names.find((n) => n.endsWith(".gt"))!.slice(0, -3);
    const shape = recording.shape(`${name}.gt`) as unknown as [number, number, number, number];
    const [x, truth] = [await recording.values(`${name}.x`), await recording.values(`${name}.gt`)];
    const means = async (measure: string) => {
      const values = await recording.values(`${name}.${measure}`);
      return values.reduce((a, b) => a + b, 0) / values.length;
    };
    expect(psnr(x, truth, shape)).toBeCloseTo(await means("psnr"), 3);
    expect(ssim(x, truth, shape)).toBeCloseTo(await means("ssim"), 5);
    expect(psnr(truth, truth)).toBeCloseTo(80, 9);
  });

  it("refuses what is no picture in a sentence", async () => {
    await expect(fromImage(Uint8Array.of(1, 2, 3), { shape: [3, 8, 8] })).rejects.toThrow(/neither a PNG nor a JPEG/);
    await expect(fromImage(new Uint8Array(0), { shape: [2, 8, 8] as never })).rejects.toThrow(/shape must be/);
    expect(() => encodePng(new Float32Array(7), [1, 2, 4])).toThrow(/do not fill/);
    expect(() => encodePng(Float32Array.of(Number.NaN), [1, 1, 1])).toThrow(/NaN/);
    expect(() => psnr([0, 1], [0])).toThrow(/do not fill/);
  });
});
