import { describe, expect, it } from "vitest";
import { normals } from "../../kernels/lib/philox.js";
import type { Gpu } from "../../src/gpu/device.js";
import { type Frame, fft, fftRadices, frequencies, inverseRealFft2, realFft2 } from "../../src/operators/fft.js";
import { type OpenStage, StageGraph } from "../../src/operators/stage-graph.js";
import { relativeError } from "../support/fixtures.js";
import { withTestGpu } from "../support/gpu.js";

/** The promise is 1e-5; hand-made twiddles in float64 give ten times better everywhere. */
const TOLERANCE = 1e-6;

let gpu: Gpu;
withTestGpu((own) => (gpu = own));

/** The DFT by its definition, in float64, of `lines` interleaved complex lines. */
function dft(x: ArrayLike<number>, length: number, sign: 1 | -1): Float64Array {
  const y = new Float64Array(x.length);
  const turns = Float64Array.from({ length: 2 * length }, (_, i) =>
    (i % 2 ? Math.sin : Math.cos)((sign * 2 * Math.PI * Math.floor(i / 2)) / length),
  );
  for (let base = 0; base < x.length; base += 2 * length) {
    for (let k = 0; k < length; k++) {
      let [re, im] = [0, 0];
      for (let j = 0, t = 0; j < length; j++, t = (t + k) % length) {
        const [a, b] = [x[base + 2 * j]!, x[base + 2 * j + 1]!];
        re += a * turns[2 * t]! - b * turns[2 * t + 1]!;
        im += a * turns[2 * t + 1]! + b * turns[2 * t]!;
      }
      y[base + 2 * k] = re;
      y[base + 2 * k + 1] = im;
    }
  }
  return y;
}

/** [a, b] of complex values to [b, a]. */
function turned(x: ArrayLike<number>, a: number, b: number): Float64Array {
  const y = new Float64Array(x.length);
  for (let plane = 0; plane < x.length; plane += 2 * a * b) {
    for (let i = 0; i < a; i++) {
      for (let j = 0; j < b; j++) {
        y[plane + 2 * (j * a + i)] = x[plane + 2 * (i * b + j)]!;
        y[plane + 2 * (j * a + i) + 1] = x[plane + 2 * (i * b + j) + 1]!;
      }
    }
  }
  return y;
}

async function evaluate(
  shape: readonly number[],
  out: number,
  x: Float32Array,
  build: (s: StageGraph) => void,
): Promise<Float32Array> {
  const stage = new StageGraph(1, { x: shape, y: [1], z: [1], zy: [1], level: [1] });
  build(stage);
  let open: OpenStage | undefined;
  try {
    open = await stage.open(gpu, "fft", new Map());
    gpu.write(open.buffer("x")!, x);
    await open.program.run();
    return await gpu.readF32(open.buffer("out")!, out);
  } finally {
    open?.destroy();
  }
}

describe("radices", () => {
  it("multiply to the length, with few passes for powers of two", () => {
    for (let n = 1; n <= 2048; n++) expect(fftRadices(n).reduce((a, b) => a * b, 1)).toBe(n);
    expect(fftRadices(1024)).toEqual([8, 8, 4, 4]);
    expect(fftRadices(512)).toEqual([8, 8, 8]);
    expect(fftRadices(2)).toEqual([2]);
    expect(fftRadices(30)).toEqual([2, 3, 5]);
    expect(fftRadices(2 * 49 * 101)).toEqual([2, 7, 7, 101]);
  });
});

describe("complex FFT against the DFT in float64", () => {
  const lengths = [
    2, 3, 4, 5, 6, 7, 8, 9, 12, 15, 16, 20, 24, 31, 32, 48, 60, 64, 77, 96, 100, 128, 131, 192, 243, 256, 320, 384, 500,
    512, 625, 640, 768, 1000, 1021, 1024,
  ];
  for (const inverse of [false, true]) {
    it(`rows, ${inverse ? "inverse" : "forward"}, lengths 2 to 1024`, async () => {
      let worst = { length: 0, error: 0 };
      for (const length of lengths) {
        const x = Float32Array.from(normals(length, 0, 2 * 2 * length));
        const y = await evaluate([2, length, 2], x.length, x, (s) => {
          fft(s, "fft", s.input("x"), { outer: 2, length, inner: 1, inverse }, s.out([2, length, 2]));
        });
        const error = relativeError(y, dft(x, length, inverse ? 1 : -1));
        if (error > worst.error) worst = { length, error };
        expect(error, `length ${length}`).toBeLessThanOrEqual(TOLERANCE);
      }
      console.info(`  worst: ${worst.error.toExponential(1)} at length ${worst.length}`);
    });
  }

  it("columns are the rows of the turned planes", async () => {
    for (const [length, inner] of [
      [16, 5],
      [45, 3],
      [64, 33],
      [131, 4],
      [512, 3],
    ] as const) {
      // biome-ignore format: pairs
      const x = Float32Array.from(normals(length, 1, 2 * 3 * length * inner));
      const y = await evaluate([3, length, inner, 2], x.length, x, (s) => {
        fft(s, "fft", s.input("x"), { outer: 3, length, inner, inverse: false }, s.out([3, length, inner, 2]));
      });
      expect(relativeError(y, turned(dft(turned(x, length, inner), length, -1), inner, length))).toBeLessThanOrEqual(
        TOLERANCE,
      );
    }
  });
});

describe("real 2-D FFT", () => {
  /** Height, width, rows, columns: even and odd, square and not, with and without a frame. */
  const sizes = [[1, 1, 1, 1], [1, 6, 1, 6], [7, 1, 7, 1], [5, 8, 5, 8], [8, 5, 8, 5], [9, 7, 15, 11], [16, 16, 32, 48], [20, 24, 20, 24], [33, 64, 96, 64]]; // biome-ignore format: a table
  const frameOf = ([height, width, rows, columns]: number[]): Frame => ({
    planes: 3,
    height: height!,
    width: width!,
    rows: rows!,
    columns: columns!,
    top: Math.floor((rows! - height!) / 2),
    left: columns! - width!,
  });

  it("half spectra against the DFT in float64, and back", async () => {
    for (const size of sizes) {
      const frame = frameOf(size);
      const { planes, height, width, rows, columns, top, left } = frame;
      const half = Math.floor(columns / 2) + 1;
      const x = Float32Array.from(normals(7, 2, planes * height * width));
      const padded = new Float64Array(2 * planes * rows * columns);
      for (let i = 0; i < x.length; i++) {
        const [plane, row, column] = [Math.floor(i / (height * width)), Math.floor(i / width) % height, i % width];
        padded[2 * ((plane * rows + top + row) * columns + left + column)] = 0.5 * x[i]! + 0.25;
      }
      const full = turned(dft(turned(dft(padded, columns, -1), rows, columns), rows, -1), columns, rows);
      const expected = Float64Array.from({ length: 2 * planes * rows * half }, (_, i) => {
        const [line, k] = [Math.floor(i / (2 * half)), i % (2 * half)];
        return full[2 * line * columns + k]!;
      });
      const spectrum = await evaluate([planes, height, width], 2 * planes * frequencies(frame), x, (s) => {
        const to = s.out([planes, rows, half, 2]);
        realFft2(s, "fft", s.input("x"), frame, { factor: 0.5, offset: 0.25, to });
      });
      expect(relativeError(spectrum, expected), `${size} forward`).toBeLessThanOrEqual(TOLERANCE);

      const again = await evaluate([planes, height, width], x.length, x, (s) => {
        const there = realFft2(s, "fft", s.input("x"), frame);
        inverseRealFft2(s, "inverse", there, frame, s.out([planes, height, width]), 1 / (rows * columns));
      });
      expect(relativeError(again, x), `${size} there and back`).toBeLessThanOrEqual(TOLERANCE);
    }
  });
});
