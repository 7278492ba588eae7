import { describe, expect, test } from "vitest";
import { aligned, psnr, ssim } from "../../src/image/metrics.js";
import type { BatchShape } from "../../src/image/pixels.js";
import { Recording } from "../support/fixtures.js";

const recording = await Recording.open("metrics/image_quality.safetensors");
const cases = recording.names.filter((name) => name.endsWith(".psnr")).map((name) => name.slice(0, -5));

async function pixels(name: string): Promise<Float32Array> {
  if (recording.has(name)) return recording.values(name);
  const bytes = await recording.checkpoint.readBytes(`${name}_u8`);
  return Float32Array.from(bytes, (v) => Math.fround(v / 127.5) - 1);
}

describe("PSNR and SSIM are those of piq", () => {
  test("every recorded case is there", () => expect(cases).toHaveLength(6));

  test.each(cases)("%s", async (name) => {
    const shape = recording.shape(
      recording.has(`${name}.gt`) ? `${name}.gt` : `${name}.gt_u8`,
    ) as unknown as BatchShape;
    const [gt, x] = [await pixels(`${name}.gt`), await pixels(`${name}.x`)];
    const recorded = { psnr: await recording.values(`${name}.psnr`), ssim: await recording.values(`${name}.ssim`) };
    const ours = { psnr: psnr(x, gt, shape), ssim: ssim(x, gt, shape) };
    for (const measure of ["psnr", "ssim"] as const) {
      expect(ours[measure]).toHaveLength(shape[0]);
      // The recording is in float32: its own rounding is 2.3e-6.
      ours[measure].forEach((v, i) => {
        expect(Math.abs(v - recorded[measure][i]!) / Math.abs(recorded[measure][i]!)).toBeLessThan(1e-5);
      });
    }
  });

  test("identical images give 80 dB and 1", () => {
    const x = Float32Array.from({ length: 256 }, (_, i) => Math.sin(i));
    expect(psnr(x, x, [1, 1, 16, 16])[0]).toBeCloseTo(80, 9);
    expect(ssim(x, x, [1, 1, 16, 16])[0]).toBeCloseTo(1, 12);
  });

  test("a shifted and rotated image is the same to aligned as long as the shift is in reach", () => {
    const [c, h, w] = [2, 12, 10];
    const truth = new Float32Array(c * h * w).fill(-1);
    for (let i = 0; i < 30; i++) truth[((i * 7) % 6) * w + 3 * w + (i % 5) + 2 + (i % 2) * h * w] = (i % 9) / 9;
    const moved = new Float32Array(truth.length).fill(-1);
    for (let ch = 0; ch < c; ch++)
      for (let y = 0; y < h; y++)
        for (let x = 0; x < w; x++) {
          const [to, tx] = [h - 1 - y + 2, w - 1 - x - 1];
          if (to < h && tx >= 0) moved[(ch * h + to) * w + tx] = truth[(ch * h + y) * w + x]!;
        }
    expect(psnr(moved, truth, [1, c, h, w])[0]).toBeLessThan(40);
    expect(aligned(moved, truth, [c, h, w], 3).psnr).toBeCloseTo(80, 6);
    expect(aligned(moved, truth, [c, h, w], 0).psnr).toBeLessThan(40);
    expect(aligned(truth, truth, [c, h, w], 1).psnr).toBeCloseTo(80, 6);
  });

  test("values that do not fill the shape, and images smaller than the window, are refused", () => {
    const x = new Float32Array(100);
    expect(() => psnr(x, new Float32Array(99), [1, 1, 10, 10])).toThrow(/truth: 99 values/);
    expect(() => ssim(x, x, [1, 1, 10, 10])).toThrow(/at least 11x11/);
  });
});
