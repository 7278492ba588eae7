import { rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { normals } from "../../kernels/lib/philox.js";
import { openTask } from "../../src/cli/restore/task.js";
import type { Gpu } from "../../src/gpu/device.js";
import { encodePng } from "../../src/image/png.js";
import { motionKernel } from "../../src/operators/blur-kernels.js";
import type { GpuOperator } from "../../src/operators/gpu-operator.js";
import { operators } from "../../src/operators/operators.js";
import { relativeError } from "../support/fixtures.js";
import { withTestGpu } from "../support/gpu.js";

let gpu: Gpu;
withTestGpu((own) => (gpu = own));

const volume = (shape: readonly number[]) => shape.reduce((a, b) => a * b, 1);
const noise = (seed: number, length: number) => Float32Array.from(normals(seed, 0, length));
const dot = (a: ArrayLike<number>, b: ArrayLike<number>) => Array.from(a).reduce((sum, v, i) => sum + v * b[i]!, 0);
const norm = (a: ArrayLike<number>) => Math.sqrt(dot(a, a));

/** Linear operators at several sizes: even, odd, square and not, one, two and three channels. */
const linear: [string, () => GpuOperator][] = [
  ["inpainting 3x20x24, box", () => operators.inpainting(gpu, { shape: [3, 20, 24], box: [4, 12, 5, 13] })],
  [
    "inpainting 1x9x13, mask",
    () => operators.inpainting(gpu, { shape: [1, 9, 13], mask: Array.from({ length: 117 }, (_, i) => i % 2) }),
  ],
  ["inpainting 2x16x16, 70% unknown", () => operators.inpainting(gpu, { shape: [2, 16, 16], fraction: 0.7, seed: 3 })],
  ["Gaussian blur 1x16x16", () => operators.gaussianBlur(gpu, { shape: [1, 16, 16], kernelSize: 7, std: 0.7 })],
  ["Gaussian blur 3x20x36", () => operators.gaussianBlur(gpu, { shape: [3, 20, 36], kernelSize: 9, std: 2 })],
  ["Gaussian blur 3x64x64", () => operators.gaussianBlur(gpu, { shape: [3, 64, 64], kernelSize: 61, std: 3 })],
  [
    "Gaussian blur 1x15x22, exact",
    () => operators.gaussianBlur(gpu, { shape: [1, 15, 22], kernelSize: 5, std: 1, transpose: "exact" }),
  ],
  [
    "motion blur 1x21x21, exact",
    () => operators.motionBlur(gpu, { shape: [1, 21, 21], kernelSize: 8, intensity: 0.5, seed: 1, transpose: "exact" }),
  ],
  [
    "motion blur 3x32x32",
    () => operators.motionBlur(gpu, { shape: [3, 32, 32], kernelSize: 15, intensity: 0.5, seed: 2 }),
  ],
  ["super-resolution 1x16x16 by 4", () => operators.superResolution(gpu, { shape: [1, 16, 16], factor: 4 })],
  ["super-resolution 3x24x36 by 3", () => operators.superResolution(gpu, { shape: [3, 24, 36], factor: 3 })],
  ["super-resolution 3x64x32 by 8", () => operators.superResolution(gpu, { shape: [3, 64, 32], factor: 8 })],
  ["super-resolution 1x128x128 by 16", () => operators.superResolution(gpu, { shape: [1, 128, 128], factor: 16 })],
  [
    "super-resolution 1x4x4 by 2, wider than the image",
    () => operators.superResolution(gpu, { shape: [1, 4, 4], factor: 2 }),
  ],
];

describe("linear operators", () => {
  for (const [name, make] of linear) {
    it(`${name}: <A x, v> = <x, A' v>, and the gradient is 2 A'(A x - y)`, async () => {
      const operator = make();
      const x = noise(1, 2 * volume(operator.shape));
      const v = noise(2, 2 * volume(operator.measurementShape));
      const ax = await operator.forward(x);
      const av = await operator.adjoint!(v);
      expect(ax.length).toBe(v.length);
      expect(av.length).toBe(x.length);
      const gap = Math.abs(dot(ax, v) - dot(x, av)) / (norm(ax) * norm(v));
      expect(gap).toBeLessThanOrEqual(1e-6);
      const gradient = await operator.energyGradient!({ x, y: v });
      const expected = (await operator.adjoint!(ax.map((a, i) => a - v[i]!))).map((g) => 2 * g);
      expect(relativeError(gradient, expected)).toBeLessThanOrEqual(2e-6);
    });
  }
});

describe("gradients", () => {
  it("that of phase retrieval is the slope of the energy, also for a measurement that is not symmetric, and not square", async () => {
    const operator = operators.phaseRetrieval(gpu, { shape: [2, 6, 9], pad: 3 });
    expect(operator.measurementShape).toEqual([2, 12, 15]);
    const x = noise(1, 108).map((v) => 0.5 * v);
    const y = noise(2, 360).map(Math.abs);
    const direction = noise(3, 108);
    const energy = (step: number) => {
      const a = amplitudes(Float64Array.from(x, (v, i) => v + step * direction[i]!));
      return a.reduce((sum, v, i) => sum + (v - y[i]!) ** 2, 0);
    };
    /** |F P (x + 1) / 2| by the definition of the Fourier transform, in float64. */
    const amplitudes = (image: Float64Array) =>
      Float64Array.from({ length: 360 }, (_, index) => {
        const [c, i, j] = [Math.floor(index / 180), (Math.floor(index / 15) % 12) - 6, (index % 15) - 7];
        let [re, im] = [0, 0];
        for (let row = 0; row < 6; row++) {
          for (let column = 0; column < 9; column++) {
            const angle = -2 * Math.PI * ((i * (row + 3)) / 12 + (j * (column + 3)) / 15);
            const v = (image[(c * 6 + row) * 9 + column]! + 1) / 2;
            re += v * Math.cos(angle);
            im += v * Math.sin(angle);
          }
        }
        return Math.hypot(re, im) / Math.sqrt(180);
      });
    expect(relativeError(await operator.forward(x), amplitudes(Float64Array.from(x)))).toBeLessThanOrEqual(1e-6);
    const slope = (energy(1e-5) - energy(-1e-5)) / 2e-5;
    expect(dot(await operator.energyGradient!({ x, y }), direction) / slope).toBeCloseTo(1, 5);
  });
});

describe("a kernel's centre", () => {
  // [H, W, kernel]: even and odd sides, even and odd kernels.
  const sizes = [
    [8, 8, 5],
    [8, 9, 3],
    [7, 7, 3],
    [8, 6, 4],
    [9, 7, 4],
  ] as const;
  for (const [h, w, size] of sizes) {
    const shape = [1, h, w];
    const middle = Math.floor(size / 2);
    const impulse = new Float32Array(h * w);
    impulse[2 * w + 3] = 1;

    it(`"kernel" leaves the middle entry of ${size} x ${size} in place on ${h} x ${w}, and its adjoint is exact`, async () => {
      const kernel = noise(4, size * size);
      const operator = operators.motionBlur(gpu, { shape, kernel, centre: "kernel" });
      const x = noise(5, h * w);
      const convolved = x.map((_, at) => {
        const [row, column] = [Math.floor(at / w), at % w];
        let sum = 0;
        for (let i = 0; i < size; i++)
          for (let j = 0; j < size; j++)
            sum += kernel[i * size + j]! * x[((row - i + middle + h) % h) * w + ((column - j + middle + w) % w)]!;
        return sum;
      });
      expect(relativeError(await operator.forward(x), convolved)).toBeLessThanOrEqual(1e-6);
      const v = noise(6, h * w);
      expect(dot(await operator.adjoint!(v), x)).toBeCloseTo(dot(v, convolved), 4);
      operator.close();
    });

    it(`a Gaussian of ${size} x ${size} on ${h} x ${w} stays where it is, with the reference's it moves to the origin`, async () => {
      const peakOf = async (centre: "kernel" | "reference") => {
        const operator = operators.gaussianBlur(gpu, { shape, kernelSize: size, std: 0.5, centre });
        const blurred = await operator.forward(impulse);
        operator.close();
        const at = blurred.indexOf(Math.max(...blurred));
        return [Math.floor(at / w), at % w];
      };
      const moved = (side: number) => Number(side % 2 === 1 || size % 2 === 1);
      expect(await peakOf("kernel")).toEqual([2, 3]);
      expect(await peakOf("reference")).toEqual([2 - moved(h), 3 - moved(w)]);
    });
  }

  it("of a task is the reference's where it is simulated, the kernel's where it was measured, and an option says otherwise", async () => {
    const file = join(tmpdir(), `ncvsd-kernel-${process.pid}.png`);
    const pixels = Uint8Array.of(0, 0, 0, 0, 255, 0, 0, 0, 0);
    writeFileSync(file, encodePng({ width: 3, height: 3, channels: 1, data: pixels }));
    try {
      const shifted = async (flags: object) => {
        const task = { task: "motion_deblur_circ", kernel: file, ...flags };
        const { operator, options } = await openTask(gpu, task, [1, 8, 8]);
        const impulse = new Float32Array(64);
        impulse[27] = 1;
        const blurred = await operator.forward(impulse);
        return [blurred.indexOf(Math.max(...blurred)), options.centre];
      };
      expect(await shifted({})).toEqual([18, undefined]);
      expect(await shifted({ measurement: "y.npy" })).toEqual([27, "kernel"]);
      expect(await shifted({ kernelCentre: "kernel" })).toEqual([27, "kernel"]);
      expect(await shifted({ measurement: "y.npy", kernelCentre: "reference" })).toEqual([18, undefined]);
    } finally {
      rmSync(file);
    }
  });
});

describe("posterior draws", () => {
  it("depend on an image's own seed only", async () => {
    for (const make of [linear[0]![1], linear[4]![1]]) {
      const operator = make();
      const one = volume(operator.shape);
      const measured = volume(operator.measurementShape);
      const x = noise(1, 3 * one);
      const y = noise(2, 3 * measured);
      const all = await operator.sampleProximal!({ x, y, sigma: 0.1, rho: 2, seeds: [5, 6, 7] });
      const alone = await operator.sampleProximal!({
        x: x.subarray(one, 2 * one),
        y: y.subarray(measured, 2 * measured),
        sigma: 0.1,
        rho: 2,
        seeds: [6],
      });
      expect(Buffer.from(alone.buffer).equals(Buffer.from(all.slice(one, 2 * one).buffer))).toBe(true);
    }
  });

  it("calls at the same time do not disturb each other", async () => {
    const operator = linear[4]![1]();
    const inputs = [1, 2, 3, 4].map((seed) => noise(seed, volume(operator.shape)));
    const together = await Promise.all(inputs.map((x) => operator.forward(x)));
    for (const [i, x] of inputs.entries()) expect([...together[i]!]).toEqual([...(await operator.forward(x))]);
    operator.close();
  });

  it("values that are not finite are an error", async () => {
    const operator = linear[3]![1]();
    const x = new Float32Array(256).fill(Number.NaN);
    await expect(operator.forward(x)).rejects.toMatchObject({
      code: "NOT_FINITE",
      message: expect.stringMatching(/: x holds such values\.$/),
    });
  });

  it("inpainting does not look at y where the mask is 0", async () => {
    const operator = operators.inpainting(gpu, { shape: [1, 4, 4], box: [0, 2, 0, 4] });
    const y = noise(1, 16).map((v, i) => (i < 8 ? Number.NaN : v));
    const draw = await operator.sampleProximal!({
      x: new Float32Array(16),
      y,
      sigma: 0.1,
      rho: 1,
      noise: new Float32Array(16),
    });
    expect([...draw.subarray(0, 8)]).toEqual(Array(8).fill(0));
    expect(draw[8]).toBeCloseTo(y[8]! / 1.01, 6);
    expect((await operator.energyGradient!({ x: new Float32Array(16), y }))[8]).toBeCloseTo(-2 * y[8]!, 6);
  });
});

describe("kernels and masks from seeds", () => {
  it("random inpainting hides exactly the fraction, all channels alike, and another seed other pixels", async () => {
    const known = async (seed: number) => {
      const operator = operators.inpainting(gpu, { shape: [2, 10, 10], fraction: 0.37, seed });
      return operator.forward(new Float32Array(200).fill(1));
    };
    const a = await known(1);
    expect(a.subarray(0, 100).reduce((x, y) => x + y)).toBe(63);
    expect([...a.subarray(0, 100)]).toEqual([...a.subarray(100)]);
    expect([...(await known(1))]).toEqual([...a]);
    expect([...(await known(2))]).not.toEqual([...a]);
  });

  it("motion kernels are a path: positive, of sum 1, centred, wider with more shaking, a line without", () => {
    const spread = (kernel: Float64Array, size: number) => {
      let [x, y, xx, yy, xy] = [0, 0, 0, 0, 0];
      kernel.forEach((v, i) => {
        const [r, c] = [Math.floor(i / size), i % size];
        x += v * c;
        y += v * r;
        xx += v * c * c;
        yy += v * r * r;
        xy += v * c * r;
      });
      const [a, b, c] = [xx - x * x, yy - y * y, xy - x * y];
      const root = Math.sqrt(((a - b) / 2) ** 2 + c * c);
      return { x, y, long: (a + b) / 2 + root, short: (a + b) / 2 - root };
    };
    for (const size of [1, 2, 7, 31, 61]) {
      for (const seed of [0, 1, 4294967295]) {
        const kernel = motionKernel(size, 0.5, seed);
        expect(kernel.every((v) => v >= 0)).toBe(true);
        expect(kernel.reduce((a, b) => a + b)).toBeCloseTo(1, 12);
        expect([...motionKernel(size, 0.5, seed)]).toEqual([...kernel]);
        if (size < 7) continue;
        const { x, y } = spread(kernel, size);
        expect(Math.hypot(x - Math.floor(size / 2), y - Math.floor(size / 2))).toBeLessThan(1);
      }
    }
    const line = spread(motionKernel(61, 0, 3), 61);
    expect(Math.sqrt(12 * line.long)).toBeCloseTo(0.8 * 61, 0);
    expect(line.short).toBeLessThan(0.5);
    expect(spread(motionKernel(61, 0.8, 3), 61).short).toBeGreaterThan(1);
    expect([...motionKernel(31, 0.5, 1)]).not.toEqual([...motionKernel(31, 0.5, 2)]);
  });
});

describe("bad arguments are refused in one sentence", () => {
  const shape = [3, 16, 16];
  // biome-ignore lint/suspicious/noExplicitAny: wrong on purpose
  const cases: [string, RegExp, () => any][] = [
    ["shape", /shape must be \[C, H, W\]/, () => operators.inpainting(gpu, { shape: [3, 16], fraction: 0.5 })],
    ["no mask", /give one of mask, box, known and fraction, got 0/, () => operators.inpainting(gpu, { shape })],
    ["two masks", /got 2/, () => operators.inpainting(gpu, { shape, fraction: 0.5, box: [0, 1, 0, 1] })],
    [
      "mask size",
      /the mask has 17 values: 16 x 16 = 256/,
      () => operators.inpainting(gpu, { shape, mask: new Float32Array(17) }),
    ],
    [
      "mask values",
      /holds 0\.5 at index 0/,
      () => operators.inpainting(gpu, { shape, mask: new Float32Array(256).fill(0.5) }),
    ],
    ["box outside", /box must be/, () => operators.inpainting(gpu, { shape, box: [4, 17, 0, 3] })],
    ["empty box", /box must be/, () => operators.inpainting(gpu, { shape, box: [4, 4, 0, 3] })],
    ["fraction", /fraction must be from 0 to 1/, () => operators.inpainting(gpu, { shape, fraction: 1.5 })],
    ["seed", /seed/, () => operators.inpainting(gpu, { shape, fraction: 0.5, seed: -1 })],
    [
      "kernel too large",
      /17 x 17 is larger than the image of 16 x 16/,
      () => operators.gaussianBlur(gpu, { shape, kernelSize: 17, std: 1 }),
    ],
    [
      "kernel size",
      /kernelSize must be an integer/,
      () => operators.gaussianBlur(gpu, { shape, kernelSize: 2.5, std: 1 }),
    ],
    ["std", /std must be a positive/, () => operators.gaussianBlur(gpu, { shape, kernelSize: 5, std: 0 })],
    [
      "kernel values",
      /not 4 x 4 = 16/,
      () => operators.motionBlur(gpu, { shape, kernel: new Float32Array(9), kernelSize: 4 }),
    ],
    [
      "kernel not finite",
      /NaN at index 1/,
      () => operators.motionBlur(gpu, { shape, kernel: [1, Number.NaN, 0, 0], kernelSize: 2 }),
    ],
    [
      "centre",
      /centre must be "kernel" or "reference", got middle/,
      // @ts-expect-error wrong on purpose
      () => operators.gaussianBlur(gpu, { shape, kernelSize: 5, std: 1, centre: "middle" }),
    ],
    [
      "centre and transpose",
      /belongs to its centre/,
      () => operators.gaussianBlur(gpu, { shape, kernelSize: 5, std: 1, centre: "kernel", transpose: "reference" }),
    ],
    ["no kernel", /give kernel, or kernelSize/, () => operators.motionBlur(gpu, { shape, kernelSize: 5 })],
    ["both kernels", /not both/, () => operators.motionBlur(gpu, { shape, kernel: [1], intensity: 0.5 })],
    [
      "intensity",
      /intensity must be from 0 to 1/,
      () => operators.motionBlur(gpu, { shape, kernelSize: 5, intensity: 2 }),
    ],
    ["factor", /factor must be an integer of at least 2/, () => operators.superResolution(gpu, { shape, factor: 1 })],
    [
      "no multiple",
      /16 x 16 is no multiple of the factor 3/,
      () => operators.superResolution(gpu, { shape, factor: 3 }),
    ],
    ["oversample", /oversample must be/, () => operators.phaseRetrieval(gpu, { shape, oversample: -1 })],
    ["pad", /pad must be an integer/, () => operators.phaseRetrieval(gpu, { shape, pad: 1.5 })],
    ["pad and oversample", /not both/, () => operators.phaseRetrieval(gpu, { shape, pad: 1, oversample: 1 })],
    ["x", /x has 5 values/, () => linear[3]![1]().forward(new Float32Array(5))],
    ["x type", /must be a Float32Array/, () => linear[3]![1]().forward([1] as unknown as Float32Array)],
    [
      "x and y",
      /y holds 2 measurements for 1 images/,
      () => linear[3]![1]().energyGradient!({ x: new Float32Array(256), y: new Float32Array(512) }),
    ],
    [
      "rho",
      /rho must be a positive/,
      () => linear[3]![1]().sampleProximal!({ x: new Float32Array(256), y: new Float32Array(256), sigma: 1, rho: 0 }),
    ],
    [
      "sigma",
      /sigma must be a positive/,
      () =>
        linear[3]![1]().sampleProximal!({
          x: new Float32Array(256),
          y: new Float32Array(256),
          sigma: Number.NaN,
          rho: 1,
        }),
    ],
    [
      "noise",
      /noise/,
      () =>
        linear[3]![1]().sampleProximal!({
          x: new Float32Array(256),
          y: new Float32Array(256),
          sigma: 1,
          rho: 1,
          noise: new Float32Array(512),
        }),
    ],
    ["batch", /batch must be a positive integer/, () => linear[3]![1]().open(0)],
  ];
  for (const [name, message, attempt] of cases) {
    it(name, async () => {
      const error = await (async () => attempt())().then(
        () => undefined,
        (e: unknown) => e,
      );
      expect(error).toMatchObject({ code: "BAD_ARGUMENT", message: expect.stringMatching(message) });
      expect(String((error as Error).message)).not.toContain("\n");
    });
  }
});
