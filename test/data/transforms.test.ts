import { describe, expect, it } from "vitest";
import { TRANSFORMS, type TransformName, transformed } from "../../src/data/transforms.js";
import type { RawImage } from "../../src/image/pixels.js";
import { cropped, resampled } from "../../src/image/resample.js";
import { RawTensors } from "../support/raw-tensors.js";

const file = new RawTensors("training/dataset-transform.safetensors");
const cases: Record<string, { transform: TransformName | null; resolution: [number, number] }> = JSON.parse(
  file.metadata.config!,
);

function picture(name: string): RawImage {
  const [height, width, channels] = file.shapes.get(name) as [number, number, 3];
  return { width, height, channels, data: Uint8Array.from(file.values(name)) };
}

describe("transforms of data sets, to the bit of the reference", () => {
  for (const [name, { transform, resolution }] of Object.entries(cases)) {
    it(`${name}: ${transform ?? "scaled"}`, () => {
      const size = { width: resolution[0], height: resolution[1] };
      expect(transformed(picture(`${name}.in`), transform ?? undefined, size)).toEqual(picture(`${name}.out`));
    });
  }

  it("have the reference's names", () => {
    const recorded = Object.values(cases).flatMap(({ transform }) => transform ?? []);
    expect([...TRANSFORMS]).toEqual(expect.arrayContaining(recorded));
  });

  it("center-crop-wide: a band on a black square, and nothing of a picture that is too small", () => {
    const wide: RawImage = { width: 40, height: 30, channels: 3, data: new Uint8Array(40 * 30 * 3).fill(200) };
    const made = transformed(wide, "center-crop-wide", { width: 16, height: 8 })!;
    expect([made.width, made.height]).toEqual([16, 16]);
    const rows = Array.from({ length: 16 }, (_, y) => made.data[y * 16 * 3]);
    expect(rows).toEqual([0, 0, 0, 0, ...Array(8).fill(200), 0, 0, 0, 0]);
    expect(transformed(wide, "center-crop-wide", { width: 64, height: 32 })).toBeUndefined();
  });

  it("refuses what is no square, or has no size", () => {
    const image: RawImage = { width: 4, height: 4, channels: 1, data: new Uint8Array(16) };
    expect(() => transformed(image, "center-crop-dhariwal", { width: 4, height: 2 })).toThrow("--resolution 4x4");
    expect(() => transformed(image, "center-crop", undefined)).toThrow("needs --resolution");
    expect(transformed(image, undefined, undefined)).toBe(image);
  });
});

describe("resampled", () => {
  it("leaves a constant picture constant, whatever the filter and the sizes", () => {
    for (const filter of ["box", "bicubic", "lanczos"] as const) {
      const image: RawImage = { width: 13, height: 7, channels: 4, data: new Uint8Array(13 * 7 * 4).fill(77) };
      const made = resampled(image, 5, 19, filter);
      expect(made.data.length).toBe(5 * 19 * 4);
      expect(new Set(made.data)).toEqual(new Set([77]));
    }
  });

  it("halves by boxes as averages do", () => {
    const image: RawImage = { width: 4, height: 2, channels: 1, data: Uint8Array.of(0, 10, 20, 30, 40, 50, 60, 70) };
    // Rows first, 8 bits in between: (0 + 10) / 2, (20 + 30) / 2, (40 + 50) / 2, (60 + 70) / 2.
    expect([...resampled(image, 2, 1, "box").data]).toEqual([25, 45]);
  });

  it("crops over the border with black", () => {
    const image: RawImage = { width: 2, height: 2, channels: 1, data: Uint8Array.of(1, 2, 3, 4) };
    expect([...cropped(image, -1, 1, 4, 2).data]).toEqual([0, 3, 4, 0, 0, 0, 0, 0]);
  });
});
