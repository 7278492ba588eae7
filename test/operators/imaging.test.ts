import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Gpu } from "../../src/gpu/device.js";
import { loadModel, type Model } from "../../src/networks/edm2/model.js";
import type { GpuOperator } from "../../src/operators/gpu-operator.js";
import { lineMask } from "../../src/operators/mri.js";
import type { Operator, SolverOptions } from "../../src/operators/operator.js";
import { operators } from "../../src/operators/operators.js";
import { makeTask } from "../../src/operators/tasks.js";
import type { TomographyOptions } from "../../src/operators/tomography.js";
import { solveInverse } from "../../src/sample/solve-inverse.js";
import { fixturePath, Recording, recordedNoise, relativeError } from "../support/fixtures.js";
import { openTestGpu } from "../support/gpu.js";
import { dot, errorOf, noise, norm, volume } from "../support/operators.js";

let gpu: Gpu;
let model: Model;
beforeAll(async () => {
  gpu = await openTestGpu();
  model = await loadModel(gpu, fixturePath("ncvsd-tiny.safetensors"));
});
afterAll(() => gpu.close());

const solver = { tolerance: 1e-3, maxIterations: 600 };

async function operatorOf(r: Recording, by: SolverOptions | undefined): Promise<GpuOperator> {
  const shape = r.meta<number[]>("shape")!;
  const config = r.meta<object>("config")!;
  if (r.has("angles"))
    return operators.tomography(gpu, {
      ...(config as TomographyOptions),
      shape,
      angles: await r.values("angles"),
      ...(by ? { solver: by } : {}),
    });
  const mask = await r.values("mask");
  return operators.mri(gpu, { shape, mask, ...(r.has("maps") ? { maps: await r.values("maps"), solver } : {}) });
}

it("tomography knows its curvature, 2 ||A||^2", async () => {
  const beams = [
    { geometry: "parallel", detectors: 13, pixelSize: 0.5, detectorSpacing: 0.4, detectorOffset: 1 },
    { geometry: "fan", detectors: 21, sourceDistance: 12, detectorDistance: 5 },
  ] as const;
  for (const beam of beams) {
    const operator = operators.tomography(gpu, { shape: [1, 9, 12], ...beam, angles: [0.2, 1, 2.5, 4] });
    let x = noise(3, 9 * 12);
    let grown = 0;
    for (let i = 0; i < 40; i++) {
      const back = await operator.adjoint!(await operator.forward(x));
      grown = norm(back) / norm(x);
      x = back.map((v) => v / norm(back));
    }
    expect(operator.curvature! / (2 * grown), beam.geometry).toBeCloseTo(1, 2);
    operator.close();
  }
});

/** Root mean square of d in deviations of the posterior, the worst of the batch. */
async function deviations(operator: Operator, d: Float32Array, sigma: number, rho: number): Promise<number> {
  const ad = await operator.forward(d);
  const [n, m] = [volume(operator.shape), volume(operator.measurementShape)];
  const one = (b: number) => {
    const [seen, all] = [norm(ad.subarray(b * m, (b + 1) * m)) / sigma, norm(d.subarray(b * n, (b + 1) * n)) / rho];
    return Math.sqrt((seen * seen + all * all) / n);
  };
  return Math.max(...Array.from({ length: d.length / n }, (_, b) => one(b)));
}

describe("MRI and tomography agree with the recordings", () => {
  for (const [name, by] of [
    ["mri_odd_9x11", undefined],
    ["mri_real_odd_9x7", undefined],
    ["mri_coils4_12x10", solver],
    ["ct_parallel_9x14_a5_units", solver],
    ["ct_fan_11x13_a6", solver],
    ["ct_parallel_9x14_a5_units", undefined],
    ["ct_fan_11x13_a6", undefined],
  ] as const) {
    it(`${name}${by ? " by conjugate gradients" : ""}`, async () => {
      const r = await Recording.open(`imaging/${name}.safetensors`);
      const operator = await operatorOf(r, by);
      const [x, y, z] = [await r.values("x"), await r.values("y"), await r.values("noise.0")];
      expect([...operator.measurementShape]).toEqual(r.shape("y").slice(1));
      expect(relativeError(await operator.forward(x), await r.values("forward"))).toBeLessThanOrEqual(1e-6);
      const back = await operator.adjoint!(await r.values("v"));
      expect(relativeError(back, await r.values("adjoint_v"))).toBeLessThanOrEqual(1e-6);
      const recorded = r.meta<Record<string, number>>("fp32_std_err_by_tensor")!;
      const second = operator.noiseShape ? await r.values("noise.1") : undefined;
      for (const [k, [sigma, rho]] of r.meta<[number, number][]>("levels")!.entries()) {
        for (const what of ["mean", "draw"]) {
          const tensor = `step${k}.${what}`;
          if (!r.has(tensor)) continue;
          const drawn = (values: Float32Array) => (what === "draw" ? values : new Float32Array(values.length));
          const level = { x, y, sigma, rho, noise: drawn(z), ...(second ? { noiseY: drawn(second) } : {}) };
          const want = await r.values(tensor);
          const got = await operator.sampleProximal!(level);
          const error = await deviations(
            operator,
            got.map((v, i) => v - want[i]!),
            sigma,
            rho,
          );
          console.info(
            `  ${name} ${tensor}: ${error.toExponential(1)} deviations, ${operator.solve?.iterations ?? "no"} steps`,
          );
          // Without iterations nothing hangs on how the recording's were stopped.
          expect(error, tensor).toBeLessThanOrEqual(by ? Math.max(1e-3, 4 * recorded[tensor]!) : 5e-4);
          if (!second) expect(relativeError(got, want), tensor).toBeLessThanOrEqual(2e-6);
        }
      }
    });
  }

  it("ct_rotation_7, whose detectors stand before its angles", async () => {
    const r = await Recording.open("imaging/ct_rotation_7.safetensors");
    const angles = (await r.values("angles_degrees")).map((v) => (v * Math.PI) / 180);
    const operator = operators.tomography(gpu, {
      shape: [1, 7, 7],
      geometry: "parallel",
      angles,
      projector: "rotation",
    });
    const swapped = async (name: string) => {
      const values = await r.values(name);
      const [detectors, count] = r.shape(name).slice(2) as [number, number];
      return values.map((_, i) => values[(i % detectors) * count + Math.floor(i / detectors)]!);
    };
    const forward = await operator.forward(await r.values("x"));
    expect(relativeError(forward, await swapped("forward"))).toBeLessThanOrEqual(1e-6);
    const back = await operator.adjoint!(await swapped("v"));
    expect(relativeError(back, await r.values("adjoint_v"))).toBeLessThanOrEqual(1e-6);
  });

  it("mri_fft_conventions_odd: the shifts of odd sizes", async () => {
    const r = await Recording.open("imaging/mri_fft_conventions_odd.safetensors");
    const shape = r.shape("x");
    const operator = operators.mri(gpu, { shape, mask: new Float32Array(shape[1]! * shape[2]!).fill(1) });
    expect(relativeError(await operator.forward(await r.values("x")), await r.values("centred"))).toBeLessThanOrEqual(
      1e-6,
    );
  });

  it("masks of lines keep as many as recorded, and those of the centre", async () => {
    const r = await Recording.open("imaging/mri_masks_inversebench.safetensors");
    for (const name of r.names) {
      const [lines, acceleration] = /lines(\d+)_R(\d+)/.exec(name)!.slice(1).map(Number) as [number, number];
      const recorded = (await r.checkpoint.readBytes(name)).slice();
      const mask = lineMask({ lines, acceleration, seed: 3 });
      expect(mask.reduce((a, b) => a + b)).toBe(recorded.reduce((a, b) => a + b));
      const [width, first] = [Math.floor((acceleration <= 6 ? 0.08 : 0.04) * lines), Math.floor(lines / 2)];
      for (const of of [mask, recorded])
        expect([...of.slice(first - Math.floor(width / 2), first + Math.floor(width / 2))].every((v) => v === 1)).toBe(
          true,
        );
    }
    expect([...lineMask({ lines: 64, acceleration: 4, seed: 1 })]).not.toEqual([
      ...lineMask({ lines: 64, acceleration: 4 }),
    ]);
  });
});

describe("whole runs of the recordings are replayed", () => {
  for (const [name, by] of [
    ["pnp_hdr", undefined],
    ["pnp_tomography", solver],
    ["pnp_tomography", undefined],
  ] as const) {
    it(`${name}${by ? " by conjugate gradients" : ""}`, async () => {
      const r = await Recording.open(`imaging/${name}.safetensors`);
      const shape = r.meta<number[]>("shape")!;
      const config = r.meta<{ scale: number; beta: number; emaSigma: number; emaDecay: number }>("config")!;
      const { beta, emaSigma, emaDecay, ...own } = config;
      const angles = r.has("angles") ? await r.values("angles") : [];
      const operator = r.has("angles")
        ? operators.tomography(gpu, {
            ...(own as unknown as TomographyOptions),
            ...{ shape, angles, ...(by ? { solver: by } : {}) },
          })
        : operators.hdr(gpu, { shape, ...own });
      const sigmas = await r.values("sigmas");
      const noise = await recordedNoise(r, true);
      const draws: number[] = [];
      const run = { operator, measurement: await r.values("y"), beta, sigmas, emaSigma, emaDecay };
      const { images } = await solveInverse(model, {
        ...run,
        noise(draw, length) {
          draws.push(draw);
          return noise(draw, length);
        },
      });
      const count = r.names.filter((n) => /^noise\./.test(n)).length;
      expect(draws, "each recorded draw is asked for once, in order").toEqual([...Array(count).keys()]);
      const error = relativeError(images, await r.values("x0"));
      console.info(`  ${name}: ${error.toExponential(1)}`);
      expect(error).toBeLessThanOrEqual(by ? 1e-4 : 2e-6);
    });
  }
});

const fan = { geometry: "fan", sourceDistance: 60, detectorDistance: 30 } as const;
const ones = (n: number) => new Float32Array(n).fill(1);
const everyThird = (n: number) => Float32Array.from({ length: n }, (_, i) => Number(i % 3 !== 1));

/** Awkward sizes, angles, spacings. */
const linear: [string, () => GpuOperator][] = [
  [
    "CT 1x1x1",
    () => operators.tomography(gpu, { shape: [1, 1, 1], geometry: "parallel", angles: [0.7], detectors: 1 }),
  ],
  [
    "CT 3x17x40, angles of all quadrants",
    () =>
      operators.tomography(gpu, {
        ...{ shape: [3, 17, 40], geometry: "parallel", detectors: 47 },
        angles: [0, Math.PI / 2, Math.PI, -Math.PI / 2, Math.PI / 4, -2.3, 100],
      }),
  ],
  [
    "CT 1x64x64, fine bins and an offset",
    () =>
      operators.tomography(gpu, {
        ...{ shape: [1, 64, 64], geometry: "parallel", detectors: 200, pixelSize: 0.5 },
        ...{ detectorSpacing: 0.23, detectorOffset: -1.7, angles: Array.from({ length: 9 }, (_, a) => a * 0.37) },
      }),
  ],
  [
    "CT 2x9x5, bins wider than the picture",
    () =>
      operators.tomography(gpu, {
        ...{ shape: [2, 9, 5], geometry: "parallel", detectors: 3, detectorSpacing: 30, angles: [0.1, 1, 2] },
      }),
  ],
  [
    "CT 1x32x48, fan",
    () => operators.tomography(gpu, { shape: [1, 32, 48], ...fan, detectors: 90, angles: [0, 1, 2, 3, 4, 5, 6] }),
  ],
  [
    "CT 1x20x20, fan close to the source, bins off the middle",
    () =>
      operators.tomography(gpu, {
        ...{ shape: [1, 20, 20], geometry: "fan", sourceDistance: 13.6, detectorDistance: 1, detectors: 40 },
        ...{ detectorSpacing: 1.9, detectorOffset: 3, angles: [0.3, 2.1, 4.4] },
      }),
  ],
  [
    "CT 2x16x16, fan with one wide bin",
    () =>
      operators.tomography(gpu, { shape: [2, 16, 16], ...fan, detectors: 2, detectorSpacing: 70, angles: [0.4, 3] }),
  ],
  [
    "CT 2x13x13, rotation",
    () =>
      operators.tomography(gpu, {
        ...{ shape: [2, 13, 13], geometry: "parallel", projector: "rotation", angles: [0, 0.5, Math.PI / 2, 2, -3] },
      } as TomographyOptions),
  ],
  ["MRI 2x12x20", () => operators.mri(gpu, { shape: [2, 12, 20], mask: everyThird(240) })],
  ["MRI 2x7x9, columns", () => operators.mri(gpu, { shape: [2, 7, 9], mask: everyThird(9) })],
  ["MRI 1x10x11, real", () => operators.mri(gpu, { shape: [1, 10, 11], mask: everyThird(110) })],
  ["MRI 1x1x8, real, a row", () => operators.mri(gpu, { shape: [1, 1, 8], mask: everyThird(8) })],
  ["MRI 2x9x8, three coils", () => operators.mri(gpu, { shape: [2, 9, 8], mask: everyThird(72), maps: noise(3, 432) })],
  ["MRI 1x8x7, real, two coils", () => operators.mri(gpu, { shape: [1, 8, 7], mask: ones(7), maps: noise(4, 224) })],
];

describe("linear operators of imaging", () => {
  for (const [name, make] of linear) {
    it(`${name}: the adjoint is one, an image doesn't depend on its batch`, async () => {
      const operator = make();
      const [n, m] = [volume(operator.shape), volume(operator.measurementShape)];
      const [x, v] = [noise(1, 3 * n), noise(2, 3 * m)];
      const [ax, av] = [await operator.forward(x), await operator.adjoint!(v)];
      const gap = Math.abs(dot(ax, v) - dot(x, av)) / (norm(ax) * norm(v));
      expect(gap).toBeLessThanOrEqual(2e-6);
      const level = { sigma: 0.1, rho: 0.3 };
      const all = await operator.sampleProximal!({ x, y: v, ...level, seeds: [5, 6, 7] });
      const part = { x: x.subarray(n, 2 * n), y: v.subarray(m, 2 * m) };
      const alone = await operator.sampleProximal!({ ...part, ...level, seeds: [6] });
      const same = (a: Float32Array, b: Float32Array) =>
        Buffer.from(a.slice().buffer).equals(Buffer.from(b.slice().buffer));
      expect(same(alone, all.subarray(n, 2 * n))).toBe(true);
      expect(same(await operator.forward(part.x), ax.subarray(m, 2 * m))).toBe(true);
      expect(same(await operator.adjoint!(part.y), av.subarray(n, 2 * n))).toBe(true);
      operator.close();
    });
  }

  it("projections are line integrals: angle 0 sums columns left to right, a quarter turn rows bottom to top", async () => {
    const shape = [1, 5, 7];
    const operator = operators.tomography(gpu, { shape, geometry: "parallel", angles: [0, Math.PI / 2], detectors: 9 });
    const x = noise(1, 35);
    const y = await operator.forward(x);
    const columns = Array.from({ length: 7 }, (_, j) => [0, 1, 2, 3, 4].reduce((sum, i) => sum + x[7 * i + j]!, 0));
    const rows = Array.from({ length: 5 }, (_, i) => x.subarray(7 * i, 7 * i + 7).reduce((a, b) => a + b));
    const want = [0, ...columns, 0, 0, 0, ...rows.reverse(), 0, 0];
    expect(relativeError(y, want)).toBeLessThanOrEqual(1e-6);
  });

  it("bins finer than pixels are told of", () => {
    const make = (more: object) =>
      operators.tomography(gpu, { shape: [1, 8, 8], geometry: "parallel", angles: [0], detectors: 9, ...more });
    expect(make({}).warning).toBeUndefined();
    expect(make({ detectorSpacing: 0.5 }).warning).toMatch(/bins of 0\.500 pixels/);
    expect(make({ ...fan, detectorSpacing: 1.5 }).warning).toBeUndefined();
    expect(make({ ...fan, detectorSpacing: 1.2 }).warning).toMatch(/bins of 0\.800 pixels/);
  });

  it("and restore says so", async () => {
    const of = (detectorSpacing: number) => {
      const geometry = { geometry: "parallel", angles: [0, 1], detectors: 9, detectorSpacing } as const;
      return makeTask(gpu, "tomography", [1, 8, 8], { geometry: { geometry, name: "scan.json", sha256: "0" } });
    };
    expect((await of(0.5)).notes).toEqual([expect.stringMatching(/let rays fall between pixels/)]);
    expect((await of(1)).notes).toEqual([]);
  });

  it("a disc is met in physical units, by parallel rays and in a fan", async () => {
    const shape = [1, 64, 64];
    const disc = Float32Array.from({ length: 4096 }, (_, i) =>
      Number(Math.hypot((i % 64) - 31.5, Math.floor(i / 64) - 31.5) * 0.5 <= 9),
    );
    const bins = { detectors: 95, pixelSize: 0.5, angles: [0, 0.5, 1.9] };
    const [Rs, Rd] = [80, 40];
    for (const geometry of ["parallel", "fan"] as const) {
      const magnified = geometry === "fan" ? (Rs + Rd) / Rs : 1;
      const spacing = { detectorSpacing: 0.5 * magnified };
      const source = geometry === "fan" ? { sourceDistance: Rs, detectorDistance: Rd } : {};
      const y = await operators.tomography(gpu, { shape, geometry, ...bins, ...spacing, ...source }).forward(disc);
      const chord = Array.from(y, (_, i) => {
        const t = ((i % 95) - 47) * 0.5;
        const distance = geometry === "fan" ? (t * Rs) / Math.hypot(Rs, t) : t;
        return 2 * Math.sqrt(Math.max(0, 81 - distance * distance));
      });
      expect(relativeError(y, chord), geometry).toBeLessThanOrEqual(0.03);
    }
  });

  it("MRI does not look at y off the mask", async () => {
    const mask = everyThird(20);
    const operator = operators.mri(gpu, { shape: [2, 4, 5], mask });
    const y = noise(1, 40).map((v, i) => (mask[i % 20] === 0 ? Number.NaN : v));
    const x = new Float32Array(40);
    const z = noise(2, 40);
    const draw = await operator.sampleProximal!({ x, y, sigma: 0.1, rho: 1, noise: z });
    const zeros = y.map((v) => (Number.isNaN(v) ? 0 : v));
    expect([...draw]).toEqual([...(await operator.sampleProximal!({ x, y: zeros, sigma: 0.1, rho: 1, noise: z }))]);
    expect([...(await operator.adjoint!(y))]).toEqual([...(await operator.adjoint!(zeros))]);
  });
});

describe("bad arguments of imaging are refused in one sentence", () => {
  const ct = { shape: [1, 16, 16], geometry: "parallel", angles: [0, 1], detectors: 23 } as const;
  const at = (more: object) => () => operators.tomography(gpu, { ...ct, ...more } as TomographyOptions);
  const shape = [2, 4, 5];
  const cases: [string, RegExp, () => unknown][] = [
    ["geometry", /geometry must be "parallel" or "fan", got cone/, at({ geometry: "cone" })],
    ["angles", /angles must be a list/, at({ angles: [] })],
    ["an angle", /angles holds NaN at index 1/, at({ angles: [0, Number.NaN] })],
    ["detectors", /detectors must be an integer/, at({ detectors: 0 })],
    ["spacing", /detectorSpacing must be a positive/, at({ detectorSpacing: 0 })],
    ["pixels", /pixelSize must be a positive/, at({ pixelSize: -1 })],
    ["offset", /detectorOffset must be a finite/, at({ detectorOffset: Number.NaN })],
    ["no source", /sourceDistance must be a positive/, at({ geometry: "fan" })],
    ["a source too many", /sourceDistance belongs to geometry "fan"/, at({ sourceDistance: 9 })],
    ["source inside", /pixels reach the source/, at({ geometry: "fan", sourceDistance: 8, detectorDistance: 9 })],
    ["projector", /projector must be/, at({ projector: "line" })],
    [
      "rotation of a fan",
      /needs geometry "parallel"/,
      at({ projector: "rotation", geometry: "fan", detectors: undefined }),
    ],
    ["rotation and bins", /detectors has no place with projector "rotation"/, at({ projector: "rotation" })],
    ["solver", /maxIterations must be/, at({ solver: { maxIterations: 0 } })],
    ["unknown", /unknown option "detector"/, at({ detector: 5 })],
    ["channels", /shape must be \[2, H, W\]/, () => operators.mri(gpu, { shape: [3, 4, 5], mask: ones(20) })],
    ["mask", /the mask has 4 values: 4 x 5 = 20 are needed, or 5/, () => operators.mri(gpu, { shape, mask: ones(4) })],
    ["mask values", /holds 0\.5 at index 0/, () => operators.mri(gpu, { shape, mask: ones(20).fill(0.5) })],
    ["maps", /maps has 41 values/, () => operators.mri(gpu, { shape, mask: ones(20), maps: ones(41) })],
    [
      "maps not finite",
      /maps holds NaN/,
      () => operators.mri(gpu, { shape, mask: ones(20), maps: ones(40).fill(NaN) }),
    ],
    ["lines", /leaves 1 of 30 lines/, () => lineMask({ lines: 30, acceleration: 20, centre: 0.1 })],
    ["centre", /centre must be from 0 to 1/, () => lineMask({ lines: 30, acceleration: 2, centre: 2 })],
  ];
  for (const [name, message, attempt] of cases) {
    it(name, async () => {
      const error = await errorOf(attempt);
      expect(error).toMatchObject({ code: "BAD_ARGUMENT", message: expect.stringMatching(message) });
      expect(String((error as Error).message)).not.toContain("\n");
    });
  }
});
