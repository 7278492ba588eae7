import { describe, expect, it } from "vitest";
import { normals } from "../../kernels/lib/philox.js";
import type { Gpu } from "../../src/gpu/device.js";
import type { GpuOperator } from "../../src/operators/gpu-operator.js";
import { operators } from "../../src/operators/operators.js";
import { add, apply, identity, inverse, type Matrix, multiply, scaled, transpose } from "../support/dense.js";
import { relativeError } from "../support/fixtures.js";
import { withTestGpu } from "../support/gpu.js";

let gpu: Gpu;
withTestGpu((own) => (gpu = own));

const volume = (shape: readonly number[]) => shape.reduce((a, b) => a * b, 1);
const noise = (seed: number, length: number) => Float32Array.from(normals(seed, 0, length));
const positive = (seed: number, length: number) => noise(seed, length).map(Math.abs);
const dot = (a: ArrayLike<number>, b: ArrayLike<number>) => Array.from(a).reduce((sum, v, i) => sum + v * b[i]!, 0);
const norm = (a: ArrayLike<number>) => Math.sqrt(dot(a, a));

const SOLVER = { tolerance: 1e-4, maxIterations: 1000 };

/** Awkward sizes, then (from 2 on) sizes that dense algebra likes. */
const makers: [string, draws: 1 | 2, (small: boolean) => GpuOperator][] = [
  [
    "averaging",
    1,
    (small) => operators.averaging(gpu, small ? { shape: [2, 4, 6], factor: 2 } : { shape: [3, 15, 25], factor: 5 }),
  ],
  [
    "colorization",
    1,
    (small) => operators.colorization(gpu, { shape: small ? [4, 2, 3] : [4, 7, 11], weights: [0.5, -1, 2, 0] }),
  ],
  ["demosaicing", 1, (small) => operators.demosaicing(gpu, { shape: small ? [3, 3, 5] : [3, 17, 9], pattern: "GBRG" })],
  [
    "outpainting",
    1,
    (small) => operators.inpainting(gpu, { shape: small ? [1, 4, 5] : [2, 9, 13], known: [1, 3, 0, 4] }),
  ],
  [
    "superResolution",
    1,
    (small) => operators.superResolution(gpu, { shape: small ? [2, 4, 6] : [3, 21, 12], factor: small ? 2 : 3 }),
  ],
  [
    "separable, more rows than columns",
    1,
    (small) => {
      const [h, w] = small ? [4, 5] : [11, 18];
      return operators.separable(gpu, { shape: [2, h!, w!], rows: noise(3, 6 * h!), columns: noise(4, 3 * w!) });
    },
  ],
  [
    "Gaussian blur, reflected",
    1,
    (small) =>
      operators.gaussianBlur(gpu, {
        shape: small ? [1, 5, 4] : [2, 13, 21],
        kernelSize: 9,
        std: 1.1,
        boundary: "reflect",
      }),
  ],
  [
    "Gaussian blur, symmetric",
    1,
    (small) =>
      operators.gaussianBlur(gpu, {
        shape: small ? [1, 4, 5] : [1, 7, 22],
        kernelSize: 6,
        std: 0.8,
        boundary: "symmetric",
      }),
  ],
  [
    "Gaussian blur, zeros",
    1,
    (small) =>
      operators.gaussianBlur(gpu, { shape: small ? [1, 4, 6] : [3, 12, 9], kernelSize: 5, std: 1, boundary: "zero" }),
  ],
  [
    "decimated blur",
    1,
    (small) => {
      const options = { kernel: noise(5, 12), kernelSize: [3, 4], factor: small ? 2 : 3, offset: [1, 0] };
      return operators.decimatedBlur(gpu, { shape: small ? [1, 4, 6] : [2, 15, 21], ...options });
    },
  ],
  [
    "decimated blur of factor 1, wider than the picture",
    1,
    (small) =>
      operators.decimatedBlur(gpu, {
        shape: small ? [1, 3, 5] : [2, 11, 14],
        kernel: noise(6, 36),
        kernelSize: 6,
        factor: 1,
      }),
  ],
  [
    "Hadamard",
    1,
    (small) =>
      operators.hadamard(
        gpu,
        small ? { shape: [2, 4, 2], order: "xy", count: 5 } : { shape: [3, 2, 64], indices: [127, 3, 64, 0, 90] },
      ),
  ],
  ["Hadamard, one pixel", 1, () => operators.hadamard(gpu, { shape: [2, 1, 1] })],
  [
    "matrix",
    2,
    (small) => {
      const [shape, rows] = small ? [[1, 3, 4], 7] : [[3, 5, 9], 21];
      return operators.matrix(gpu, {
        shape: shape as number[],
        matrix: noise(7, volume(shape as number[]) * (rows as number)),
        rows: rows as number,
        solver: SOLVER,
      });
    },
  ],
  [
    "matrix per channel, taller than wide",
    2,
    (small) => {
      const [h, w] = small ? [2, 3] : [5, 7];
      return operators.matrix(gpu, {
        shape: [2, h!, w!],
        matrix: noise(8, 40 * h! * w!),
        rows: 40,
        perChannel: true,
        solver: SOLVER,
      });
    },
  ],
  ...(["circular", "zero"] as const).map((boundary): [string, 2, (small: boolean) => GpuOperator] => [
    `varying blur, ${boundary}`,
    2,
    (small) => {
      const [h, w, side] = small ? [3, 4, 2] : [9, 14, 5];
      const options = {
        kernels: positive(9, 3 * side! ** 2),
        kernelSize: side!,
        weights: positive(10, 3 * h! * w!),
        boundary,
      };
      return operators.varyingBlur(gpu, { shape: [2, h!, w!], ...options, solver: SOLVER });
    },
  ]),
];

describe("every linear operator, at awkward sizes", () => {
  for (const [name, draws, make] of makers) {
    it(`${name}: adjoint, gradient, curvature, and an image that does not depend on its batch`, async () => {
      const operator = make(false);
      const [n, m] = [volume(operator.shape), volume(operator.measurementShape)];
      const [x, v] = [noise(1, 3 * n), noise(2, 3 * m)];
      const [ax, av] = [await operator.forward(x), await operator.adjoint!(v)];
      expect(Math.abs(dot(ax, v) - dot(x, av)) / (norm(ax) * norm(v))).toBeLessThanOrEqual(2e-6);
      const expected = (await operator.adjoint!(ax.map((a, i) => a - v[i]!))).map((g) => 2 * g);
      const scale = norm(expected) / (norm(await operator.adjoint!(ax)) + norm(av));
      expect(relativeError(await operator.energyGradient!({ x, y: v }), expected) * scale).toBeLessThanOrEqual(2e-6);
      if (operator.curvature !== undefined) {
        // Power iteration comes from below: the largest of a few steps is within a hundredth.
        let [u, square] = [x.subarray(0, n), 0];
        for (let k = 0; k < 12; k++) {
          const next = await operator.adjoint!(await operator.forward(u));
          square = norm(next) / norm(u);
          u = next.map((value) => value / norm(next));
        }
        expect(square).toBeLessThanOrEqual((operator.curvature / 2) * 1.0001);
        expect(square).toBeGreaterThan((operator.curvature / 2) * 0.9);
      }
      expect(operator.noiseShape).toEqual(draws === 2 ? operator.measurementShape : undefined);
      const input = { sigma: 0.1, rho: 0.7 };
      const all = await operator.sampleProximal!({ x, y: v, ...input, seeds: [5, 6, 7] });
      const one = { x: x.subarray(n, 2 * n), y: v.subarray(m, 2 * m), ...input };
      const alone = await operator.sampleProximal!({ ...one, seeds: [6] });
      expect(alone).toEqual(all.slice(n, 2 * n));
      // Draws 0 and 1 of the seed.
      const noises = { noise: noise(6, n), ...(draws === 2 ? { noiseY: Float32Array.from(normals(6, 1, m)) } : {}) };
      expect(relativeError(await operator.sampleProximal!({ ...one, ...noises }), alone)).toBeLessThanOrEqual(1e-5);
      operator.close();
    });
  }
});

/** The matrix of a map of pictures, column by column. */
async function matrixOf(size: number, map: (x: Float32Array) => Promise<Float32Array>): Promise<Matrix> {
  const columns = await map(Float32Array.from(identity(size).flatMap((row) => [...row])));
  const rows = columns.length / size;
  return Array.from({ length: rows }, (_, i) => Float64Array.from({ length: size }, (_, j) => columns[j * rows + i]!));
}

const largest = (a: Matrix) => Math.max(...a.flatMap((row) => [...row].map(Math.abs)));
const repeat = (one: Float32Array, times: number) =>
  Float32Array.from({ length: times * one.length }, (_, i) => one[i % one.length]!);

describe("the law of a draw is the posterior", () => {
  for (const [name, draws, make] of makers) {
    it(name, async () => {
      const operator = make(true);
      const [n, m] = [volume(operator.shape), volume(operator.measurementShape)];
      const a = await matrixOf(n, operator.forward);
      const [x, y] = [noise(1, n), noise(2, m)];
      for (const [sigma, rho] of [
        [0.3, 2],
        [0.1, 0.05],
      ] as const) {
        const precision = add(scaled(multiply(transpose(a), a), 1 / sigma ** 2), identity(n), 1 / rho ** 2);
        const covariance = inverse(precision);
        const pull = apply(transpose(a), y).map((v, i) => v / sigma ** 2 + x[i]! / rho ** 2);
        const exact = apply(covariance, pull);
        const answer = async (z: Float32Array, zy: Float32Array) => {
          const times = z.length / n;
          const input = { x: repeat(x, times), y: repeat(y, times), sigma, rho, noise: z };
          return operator.sampleProximal!(draws === 2 ? { ...input, noiseY: zy } : input);
        };
        const mean = await answer(new Float32Array(n), new Float32Array(m));
        expect(relativeError(mean, exact)).toBeLessThanOrEqual(5e-6);
        /** What the draw makes of unit vectors of noise. */
        const spread = async (size: number, give: (unit: Float32Array) => Promise<Float32Array>) => {
          const map = await matrixOf(size, give);
          return map.map((row, i) => row.map((v) => v - exact[i]!));
        };
        const root = await spread(n, (z) => answer(z, new Float32Array((z.length / n) * m)));
        let law = multiply(root, transpose(root));
        if (draws === 2) {
          const other = await spread(m, (zy) => answer(new Float32Array((zy.length / m) * n), zy));
          law = add(law, multiply(other, transpose(other)));
        } else {
          // The symmetric positive root, whatever the way of computing.
          expect(largest(add(root, transpose(root), -1))).toBeLessThanOrEqual(1e-6 + 5e-6 * rho);
          for (let i = 0; i < n; i++) expect(root[i]![i]!).toBeGreaterThan(0);
        }
        expect(largest(add(law, covariance, -1))).toBeLessThanOrEqual(1e-6 * rho + 1e-5 * rho ** 2);
      }
      operator.close();
    });
  }
});

describe("conjugate gradients", () => {
  const shape = [1, 4, 4];
  const wide = (solver: object, matrix = noise(3, 160)) => operators.matrix(gpu, { shape, matrix, rows: 10, solver });
  const input = () => ({ x: noise(1, 32), y: noise(2, 20), sigma: 0.05, rho: 50, seeds: [1, 2] });

  it("tell their steps; the cap is no error; a finer tolerance takes more of them", async () => {
    const capped = wide({ maxIterations: 3 });
    expect(capped.solve).toBeUndefined();
    await capped.sampleProximal!(input());
    expect(capped.solve).toEqual({ iterations: 3, converged: false });
    const counts: number[] = [];
    for (const tolerance of [0.5, 1e-4]) {
      const operator = wide({ tolerance, maxIterations: 500 });
      await operator.sampleProximal!(input());
      expect(operator.solve!.converged).toBe(true);
      counts.push(operator.solve!.iterations);
    }
    expect(counts[1]!).toBeGreaterThan(counts[0]!);
  });

  it("stop at once where nothing is measured, and after one step at one direction", async () => {
    const none = wide({}, new Float32Array(160));
    const { x, y, ...level } = input();
    const draw = { x, y, ...level, noise: noise(4, 32), noiseY: noise(5, 20) };
    expect(await none.sampleProximal!(draw)).toEqual(x.map((v, i) => v + Math.fround(50 * draw.noise[i]!)));
    expect(none.solve).toEqual({ iterations: 0, converged: true });
    const one = wide({}, new Float32Array(160).fill(0.25));
    await one.sampleProximal!(draw);
    expect(one.solve!.converged).toBe(true);
    expect(one.solve!.iterations).toBeLessThanOrEqual(3);
  });

  it("stay finite long after convergence", async () => {
    const operator = wide({ tolerance: 1e-30, maxIterations: 400 });
    const values = await operator.sampleProximal!({ ...input(), rho: 0.002 });
    expect(values.every(Number.isFinite)).toBe(true);
  });

  it("on arrays and on the GPU agree, gram or not", async () => {
    const rows = identity(16).slice(3, 13);
    const matrix = Float32Array.from(rows.flatMap((row) => [...row].map((v) => 0.5 * v)));
    const operator = wide(SOLVER, matrix);
    const { forward, adjoint, measurementShape } = operator;
    const own = { shape, measurementShape, forward, adjoint: adjoint! };
    const solving = await operators.linear(gpu, { ...own, solver: SOLVER });
    const draw = { ...input(), noise: noise(4, 32), noiseY: noise(5, 20) };
    const values = await operator.sampleProximal!(draw);
    expect(relativeError(await solving.sampleProximal!(draw), values)).toBeLessThanOrEqual(1e-5);
    expect(solving.solve!.converged).toBe(true);
    expect(solving.noiseShape).toEqual([10]);
    const closed = await operators.linear(gpu, { ...own, gram: { W: 0.25 } });
    expect(closed.noiseShape).toBeUndefined();
    const { noiseY, ...one } = draw;
    const zero = { noise: new Float32Array(32) };
    const mean = await operator.sampleProximal!({ ...draw, ...zero, noiseY: noiseY.map(() => 0) });
    expect(relativeError(await closed.sampleProximal!({ ...one, ...zero }), mean)).toBeLessThanOrEqual(1e-5);
    const gradient = await operator.energyGradient!({ x: draw.x, y: draw.y });
    expect(relativeError(await closed.energyGradient!({ x: draw.x, y: draw.y }), gradient)).toBeLessThanOrEqual(1e-6);
  });
});

describe("gram of a user", () => {
  it("with T and one eigenvalue per entry is the symmetric root, and entries without eigenvalue are not looked at", async () => {
    // A = T diag(1, 2, 0, 0.5) with T a reflection.
    const axis = [0.5, 0.5, -0.5, 0.5];
    const reflect = (v: Float32Array) =>
      v.map(
        (value, i) => value - 2 * axis[i % 4]! * axis.reduce((sum, a, j) => sum + a * v[4 * Math.floor(i / 4) + j]!, 0),
      );
    const scales = [1, 2, 0, 0.5];
    const scale = (v: Float32Array) => v.map((value, i) => value * scales[i % 4]!);
    const own = { shape: [1, 2, 2], measurementShape: [4] };
    const gram = { W: scales.map((s) => s * s), T: reflect, Tt: reflect };
    const operator = await operators.linear(gpu, {
      ...own,
      forward: (x) => reflect(scale(x)),
      adjoint: (y) => scale(reflect(y)),
      gram,
    });
    const a = await matrixOf(4, operator.forward);
    const [sigma, rho] = [0.2, 1.5];
    const covariance = inverse(add(scaled(multiply(transpose(a), a), 1 / sigma ** 2), identity(4), 1 / rho ** 2));
    const input = { x: new Float32Array(16), y: new Float32Array(16), sigma, rho };
    const root = await matrixOf(4, (z) => operator.sampleProximal!({ ...input, noise: z }));
    expect(largest(add(multiply(root, root), covariance, -1))).toBeLessThanOrEqual(1e-6);
    const plain = await operators.linear(gpu, {
      ...own,
      forward: scale,
      adjoint: scale,
      gram: { W: scales.map((s) => s * s) },
    });
    const y = Float32Array.of(1, 1, Number.NaN, 1);
    const draw = await plain.sampleProximal!({
      x: new Float32Array(4),
      y,
      sigma,
      rho,
      noise: new Float32Array(4).fill(1),
    });
    expect(draw[2]).toBeCloseTo(rho, 6);
    expect(draw.every(Number.isFinite)).toBe(true);
  });
});

describe("bad input is refused in one sentence", () => {
  const shape = [3, 16, 16];
  const maps = {
    shape: [1, 2, 2],
    measurementShape: [4],
    forward: (x: Float32Array) => x,
    adjoint: (y: Float32Array) => y,
  };
  const blur = { shape, kernel: noise(1, 9), kernelSize: 3, factor: 2 };
  const varying = { shape, kernels: noise(1, 18), kernelSize: 3, weights: noise(2, 512) };
  const product = { shape: [1, 2, 2], matrix: noise(1, 12), rows: 3 };
  const drawn = { x: noise(1, 4), y: noise(2, 3), sigma: 1, rho: 1 };
  // biome-ignore lint/suspicious/noExplicitAny: wrong on purpose
  const cases: [string, RegExp, () => any][] = [
    [
      "averaging: no multiple",
      /16 x 16 is no multiple of the factor 3/,
      () => operators.averaging(gpu, { shape, factor: 3 }),
    ],
    [
      "averaging: factor",
      /factor must be an integer of at least 1/,
      () => operators.averaging(gpu, { shape, factor: 0.5 }),
    ],
    [
      "colorization: no default",
      /weights are needed for 2 channels/,
      () => operators.colorization(gpu, { shape: [2, 4, 4] }),
    ],
    ["colorization: count", /2 weights for 3 channels/, () => operators.colorization(gpu, { shape, weights: [1, 2] })],
    ["colorization: zeros", /all weights are 0/, () => operators.colorization(gpu, { shape, weights: [0, 0, 0] })],
    [
      "colorization: values",
      /holds NaN at index 1/,
      () => operators.colorization(gpu, { shape, weights: [0, Number.NaN, 0] }),
    ],
    [
      "demosaicing: channels",
      /must have 3 channels/,
      () => operators.demosaicing(gpu, { shape: [1, 4, 4], pattern: "RGGB" }),
    ],
    [
      "demosaicing: pattern",
      /one of RGGB, BGGR, GRBG, GBRG, got RGB/,
      () => operators.demosaicing(gpu, { shape, pattern: "RGB" as "RGGB" }),
    ],
    [
      "known outside",
      /known must be .* inside 16 x 16/,
      () => operators.inpainting(gpu, { shape, known: [0, 17, 0, 4] }),
    ],
    ["known and mask", /got 2/, () => operators.inpainting(gpu, { shape, known: [0, 1, 0, 4], fraction: 0.5 })],
    [
      "separable: rows",
      /rows must hold a matrix of 16 columns \(H\), got 15/,
      () => operators.separable(gpu, { shape, rows: noise(1, 15), columns: noise(1, 16) }),
    ],
    [
      "separable: columns",
      /columns holds Infinity/,
      () => operators.separable(gpu, { shape, rows: noise(1, 16), columns: noise(1, 16).fill(1 / 0) }),
    ],
    [
      "boundary",
      /boundary must be "circular", "reflect", "symmetric" or "zero", got mirror/,
      () => operators.gaussianBlur(gpu, { shape, kernelSize: 3, std: 1, boundary: "mirror" as "zero" }),
    ],
    [
      "boundary and centre",
      /belong to circular borders/,
      () => operators.gaussianBlur(gpu, { shape, kernelSize: 3, std: 1, boundary: "zero", centre: "reference" }),
    ],
    [
      "decimatedBlur: no multiple",
      /no multiple of the factor 3/,
      () => operators.decimatedBlur(gpu, { ...blur, factor: 3 }),
    ],
    [
      "decimatedBlur: kernel",
      /the kernel has 9 values, not 3 x 4 = 12/,
      () => operators.decimatedBlur(gpu, { ...blur, kernelSize: [3, 4] }),
    ],
    [
      "decimatedBlur: size",
      /kernelSize must be a side or \[rows, columns\]/,
      () => operators.decimatedBlur(gpu, { ...blur, kernelSize: [3] }),
    ],
    [
      "decimatedBlur: offset",
      /each from 0 to 1, got \[0,2\]/,
      () => operators.decimatedBlur(gpu, { ...blur, offset: [0, 2] }),
    ],
    ["hadamard: side", /H must be a power of two, got 12/, () => operators.hadamard(gpu, { shape: [1, 12, 8] })],
    [
      "hadamard: order",
      /one of natural, sequency, zigzag, xy, cakecutting, got paley/,
      () => operators.hadamard(gpu, { shape, order: "paley" as "xy" }),
    ],
    [
      "hadamard: cake",
      /needs H W to be a square, got 4 x 8/,
      () => operators.hadamard(gpu, { shape: [1, 4, 8], order: "cakecutting" }),
    ],
    ["hadamard: ratio", /ratio must be from 1 to H W = 256/, () => operators.hadamard(gpu, { shape, ratio: 0.5 })],
    [
      "hadamard: count",
      /count must be at most H W = 256, got 257/,
      () => operators.hadamard(gpu, { shape, count: 257 }),
    ],
    [
      "hadamard: both",
      /ratio 4 means 64 rows, count says 3/,
      () => operators.hadamard(gpu, { shape, ratio: 4, count: 3 }),
    ],
    ["hadamard: index", /holds 256 at index 1/, () => operators.hadamard(gpu, { shape, indices: [0, 256] })],
    ["hadamard: twice", /a row twice/, () => operators.hadamard(gpu, { shape, indices: [3, 3] })],
    [
      "hadamard: indices and order",
      /not both/,
      () => operators.hadamard(gpu, { shape, indices: [3], order: "natural" }),
    ],
    [
      "matrix: values",
      /has 12 values, not 4 x 4 = 16 \(rows x C H W\)/,
      () => operators.matrix(gpu, { ...product, rows: 4 }),
    ],
    [
      "matrix: finite",
      /the matrix holds NaN/,
      () => operators.matrix(gpu, { ...product, matrix: noise(1, 12).fill(Number.NaN) }),
    ],
    [
      "solver: key",
      /solver: unknown option "tol"/,
      () => operators.matrix(gpu, { ...product, solver: { tol: 1 } as object }),
    ],
    [
      "solver: tolerance",
      /solver.tolerance must be a positive/,
      () => operators.matrix(gpu, { ...product, solver: { tolerance: 0 } }),
    ],
    [
      "solver: cap",
      /solver.maxIterations must be an integer/,
      () => operators.matrix(gpu, { ...product, solver: { maxIterations: 0 } }),
    ],
    [
      "noiseY: length",
      /noiseY must have 3 values, got 6/,
      () => operators.matrix(gpu, product).sampleProximal!({ ...drawn, noiseY: noise(1, 6) }),
    ],
    [
      "noiseY: none",
      /takes one draw: leave noiseY out/,
      () =>
        operators.averaging(gpu, { shape: [1, 2, 2], factor: 2 }).sampleProximal!({
          ...drawn,
          y: noise(1, 1),
          noiseY: noise(1, 1),
        }),
    ],
    [
      "varyingBlur: kernels",
      /kernels has 17 values/,
      () => operators.varyingBlur(gpu, { ...varying, kernels: noise(1, 17) }),
    ],
    [
      "varyingBlur: weights",
      /weights has 512 values, not 1 x 16 x 16/,
      () => operators.varyingBlur(gpu, { ...varying, kernels: noise(1, 9) }),
    ],
    [
      "varyingBlur: boundary",
      /"circular" or "zero", got reflect/,
      () => operators.varyingBlur(gpu, { ...varying, boundary: "reflect" as "zero" }),
    ],
    [
      "linear: not linear",
      /mine is not linear/,
      () => operators.linear(gpu, { ...maps, name: "mine", forward: (x) => x.map((v) => v + 0.1) }),
    ],
    [
      "linear: adjoint",
      /adjoint of linear is not that of its forward/,
      () => operators.linear(gpu, { ...maps, adjoint: (y) => y.map((v) => 1.1 * v) }),
    ],
    ["linear: gram", /gram of linear is not that of A/, () => operators.linear(gpu, { ...maps, gram: { W: 2 } })],
    ["linear: T alone", /one of T and Tt/, () => operators.linear(gpu, { ...maps, gram: { W: 1, T: (v) => v } })],
    ["linear: W", /gram.W of linear holds 3 values/, () => operators.linear(gpu, { ...maps, gram: { W: [1, 1, 1] } })],
    ["linear: negative W", /holds -1 at index 0/, () => operators.linear(gpu, { ...maps, gram: { W: -1 } })],
    [
      "linear: length",
      /forward of the operator linear must give a Float32Array of 4 values/,
      () => operators.linear(gpu, { ...maps, forward: (x) => x.slice(1) }),
    ],
    [
      "linear: no adjoint",
      /forward and adjoint must be functions/,
      () => operators.linear(gpu, { ...maps, adjoint: undefined as never }),
    ],
    [
      "linear: throws",
      /forward of the operator linear failed: lost/,
      () =>
        operators.linear(gpu, {
          ...maps,
          forward: () => {
            throw new Error("lost");
          },
        }),
    ],
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
