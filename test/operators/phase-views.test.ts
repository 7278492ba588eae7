import { describe, expect, it } from "vitest";
import type { Gpu } from "../../src/gpu/device.js";
import type { GpuOperator } from "../../src/operators/gpu-operator.js";
import { operators } from "../../src/operators/operators.js";
import { Recording, relativeError } from "../support/fixtures.js";
import { withTestGpu } from "../support/gpu.js";
import { dot, errorOf, noise, norm, volume } from "../support/operators.js";

let gpu: Gpu;
withTestGpu((own) => (gpu = own));

interface Config {
  readonly object: "real" | "complex";
  readonly measure: "amplitude" | "intensity";
}

async function operatorOf(name: string, r: Recording): Promise<GpuOperator> {
  const shape = r.meta<number[]>("shape")!;
  const config = r.meta<Config>("config")!;
  if (r.has("masks"))
    return operators.codedPhase(gpu, { shape, masks: await r.values("masks"), object: config.object });
  const positions = await r.values("positions");
  if (name.startsWith("fpm"))
    return operators.fourierPtychography(gpu, {
      ...{ shape, ...config, positions, pupil: await r.values("pupil"), pupilSize: r.shape("pupil")[1]! },
    });
  return operators.ptychography(gpu, {
    ...{ shape, ...config, positions, probe: await r.values("probe"), probeSize: r.shape("probe")[1]! },
  });
}

describe("operators without phase agree with the recordings", () => {
  for (const name of [
    "coded_9_l3_rgb",
    "coded_complex_8_l4",
    "fpm_complex_13x12_p5",
    "ptycho_complex_12_p5",
    "ptycho_intensity_10_p10",
  ]) {
    it(name, async () => {
      const r = await Recording.open(`imaging/${name}.safetensors`);
      const operator = await operatorOf(name, r);
      expect([...operator.measurementShape]).toEqual(r.meta("measurement_shape"));
      expect(
        relativeError(await operator.forward(await r.values("xa")), await r.values("forward")),
      ).toBeLessThanOrEqual(1e-6);
      const [x, y] = [await r.values("xb"), await r.values("y")];
      const m = y.length / 2;
      const seen = await operator.forward(x);
      const energy = [0, 1].map((b) => norm(seen.subarray(b * m, (b + 1) * m).map((v, i) => v - y[b * m + i]!)) ** 2);
      expect(relativeError(energy, await r.values("energy"))).toBeLessThanOrEqual(2e-6);
      const gradient = await operator.energyGradient!({ x, y });
      expect(relativeError(gradient, await r.values("grad_energy"))).toBeLessThanOrEqual(2e-6);
    });
  }
});

const scan = { positions: [0, 0, 3, 2, 5, 4, 1, 6], object: "real" } as const;
const views: [string, () => GpuOperator][] = [
  ["codedPhase", () => operators.codedPhase(gpu, { shape: [2, 11, 13], masks: noise(1, 4 * 143) })],
  [
    "ptychography, intensity of a complex object",
    () =>
      operators.ptychography(gpu, {
        ...{ shape: [2, 11, 13], probe: noise(2, 72), probeSize: 6, ...scan },
        ...{ object: "complex", measure: "intensity" },
      }),
  ],
  [
    "fourierPtychography",
    () => operators.fourierPtychography(gpu, { shape: [3, 11, 13], pupil: noise(3, 72), pupilSize: 6, ...scan }),
  ],
];

describe("operators without phase", () => {
  for (const [name, make] of views) {
    it(`${name}: the gradient is the slope of the energy, and the same in any batch`, async () => {
      const operator = make();
      const [n, m] = [volume(operator.shape), volume(operator.measurementShape)];
      const [x, y, direction] = [noise(4, 2 * n), noise(5, 2 * m).map(Math.abs), noise(6, 2 * n)];
      const energy = async (step: number) => {
        const a = await operator.forward(x.map((v, i) => v + step * direction[i]!));
        return a.reduce((sum, v, i) => sum + (v - y[i]!) ** 2, 0);
      };
      const gradient = await operator.energyGradient!({ x, y });
      const slope = ((await energy(2e-3)) - (await energy(-2e-3))) / 4e-3;
      expect(dot(gradient, direction) / slope).toBeCloseTo(1, 2);
      const alone = await operator.energyGradient!({ x: x.subarray(n), y: y.subarray(m) });
      expect([...alone]).toEqual([...gradient.subarray(n)]);
      operator.close();
    });
  }

  it("the curvature that is told bounds that of the energy, and is reached by masks of modulus 1", async () => {
    const masks = Float32Array.from({ length: 3 * 2 * 64 }, (_, i) => {
      const angle = Math.floor(i / 128) * 7 + (i % 64) ** 2;
      return Math.floor(i / 64) % 2 === 0 ? Math.cos(angle) : Math.sin(angle);
    });
    const real = operators.codedPhase(gpu, { shape: [1, 8, 8], masks });
    expect(real.curvature).toBeCloseTo(3 / 2, 5);
    expect(operators.codedPhase(gpu, { shape: [2, 8, 8], masks, object: "complex" }).curvature).toBeCloseTo(6, 5);
    // With y = 0 the energy is |B u|^2: quadratic, its curvature 2 |B|^2 / 4 everywhere.
    const [x, y] = [noise(1, 64), new Float32Array(192)];
    const bent = (await real.energyGradient!({ x: x.map((v) => v + 1), y })).map((v, i) => v + 0 * i);
    const flat = await real.energyGradient!({ x, y });
    expect(
      relativeError(
        bent.map((v, i) => v - flat[i]!),
        new Float32Array(64).fill(1.5),
      ),
    ).toBeLessThanOrEqual(1e-4);
    expect(views[1]![1]().curvature).toBeUndefined();
  });

  it("the gradient is 0 where the wave is 0", async () => {
    const operator = operators.codedPhase(gpu, { shape: [1, 4, 4], masks: noise(1, 32) });
    const x = new Float32Array(16).fill(-1);
    expect([...(await operator.energyGradient!({ x, y: new Float32Array(16).fill(1) }))]).toEqual(Array(16).fill(0));
  });
});

describe("bad arguments of operators without phase are refused in one sentence", () => {
  const shape = [1, 8, 8];
  const probe = noise(1, 32);
  const good = { shape, probe, probeSize: 4, positions: [0, 0] };
  const cases: [string, RegExp, () => unknown][] = [
    ["masks", /masks has 100 values/, () => operators.codedPhase(gpu, { shape, masks: noise(1, 100) })],
    ["no masks", /masks has 0 values/, () => operators.codedPhase(gpu, { shape, masks: [] })],
    [
      "complex shape",
      /a complex object has the shape \[2, H, W\]/,
      () => operators.codedPhase(gpu, { shape, masks: noise(1, 128), object: "complex" }),
    ],
    // @ts-expect-error wrong on purpose
    ["object", /object must be/, () => operators.ptychography(gpu, { ...good, object: "phase" })],
    ["probe", /probe has 32 values, not 2 x 5 x 5 = 50/, () => operators.ptychography(gpu, { ...good, probeSize: 5 })],
    ["probe size", /probeSize must be an integer/, () => operators.ptychography(gpu, { ...good, probeSize: 0 })],
    [
      "a position outside",
      /view 1 begins at \[5, 0\]: 4 x 4 must lie inside 8 x 8/,
      () => operators.ptychography(gpu, { ...good, positions: [0, 0, 5, 0] }),
    ],
    ["odd positions", /positions must be pairs/, () => operators.ptychography(gpu, { ...good, positions: [1] })],
    // @ts-expect-error wrong on purpose
    ["measure", /measure must be/, () => operators.ptychography(gpu, { ...good, measure: "phase" })],
    [
      "pupil",
      /pupil holds NaN at index 3/,
      () =>
        operators.fourierPtychography(gpu, {
          ...{ shape, pupil: probe.map((v, i) => (i === 3 ? NaN : v)), pupilSize: 4, positions: [0, 0] },
        }),
    ],
  ];
  for (const [name, message, attempt] of cases) {
    it(name, async () => {
      const error = await errorOf(attempt);
      expect(error).toMatchObject({ code: "BAD_ARGUMENT", message: expect.stringMatching(message) });
      expect(String((error as Error).message)).not.toContain("\n");
    });
  }
});
