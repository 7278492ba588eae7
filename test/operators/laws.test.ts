import { describe, expect, it } from "vitest";
import { logMass, logTail, normalQuantile, truncatedQuantile } from "../../kernels/lib/normal-law.js";
import { normals } from "../../kernels/lib/philox.js";
import type { Gpu } from "../../src/gpu/device.js";
import { operators } from "../../src/operators/operators.js";
import type { LawOperator } from "../../src/operators/pointwise.js";
import { Recording, relativeError } from "../support/fixtures.js";
import { withTestGpu } from "../support/gpu.js";
import { errorOf, noise } from "../support/operators.js";

let gpu: Gpu;
withTestGpu((own) => (gpu = own));

const make: Record<string, (shape: readonly number[], config: never) => LawOperator> = {
  hdr: (shape, config: { scale: number }) => operators.hdr(gpu, { shape, ...config }),
  quantization: (shape, config: { bits: number }) => operators.quantization(gpu, { shape, ...config }),
  jpeg: (shape, config: { quality: number }) => operators.jpeg(gpu, { shape, ...config }),
  poisson: (shape, config: { peak: number; background: number }) => operators.poisson(gpu, { shape, ...config }),
};

/** DCT of the blocks of a picture of `width`, by its definition. */
function dct(x: ArrayLike<number>, width: number): Float64Array {
  const d = (k: number, i: number) => Math.sqrt(k === 0 ? 1 / 8 : 1 / 4) * Math.cos(((2 * i + 1) * k * Math.PI) / 16);
  return Float64Array.from({ length: x.length }, (_, at) => {
    const [row, column] = [Math.floor(at / width), at % width];
    let sum = 0;
    for (let a = 0; a < 8; a++)
      for (let b = 0; b < 8; b++)
        sum += d(row % 8, a) * x[at + (a - (row % 8)) * width + b - (column % 8)]! * d(column % 8, b);
    return sum;
  });
}

describe("pointwise laws agree with the recordings", () => {
  for (const name of ["hdr_8_k2", "quantization_8_b2", "jpeg_8_q75", "poisson_8_p10"]) {
    it(name, async () => {
      const r = await Recording.open(`imaging/${name}.safetensors`);
      const kind = name.split("_")[0]!;
      const shape = r.meta<number[]>("shape")!;
      const operator = make[kind]!(shape, r.meta("config") as never);
      const [x, y, uniforms] = [await r.values("x"), await r.values("y"), await r.values("uniforms")];
      expect(relativeError(await operator.forward(x), await r.values("forward"))).toBeLessThanOrEqual(3e-7);
      const second = r.has("noise.1") ? { noiseY: await r.values("noise.1") } : {};
      for (const [k, [sigma, rho]] of r.meta<[number | null, number][]>("levels")!.entries()) {
        const tensor = (what: string) => r.checkpoint.readF32(`step${k}.${what}`);
        const level = { x, y, rho, ...(sigma === null ? {} : { sigma }) };
        const at = r.has(`step${k}.at`) ? { at: await tensor("at") } : {};
        const law = await operator.law({ ...level, ...at });
        const variance = await tensor("variance");
        const worst = (of: (i: number) => number) => Math.max(...Array.from(x, (_, i) => of(i)));
        expect(relativeError(law.variance, variance)).toBeLessThanOrEqual(1e-7);
        const mean = operator.posteriorMean ? await operator.posteriorMean(level) : law.mean;
        expect(relativeError(mean, await tensor("mean"))).toBeLessThanOrEqual(1e-7);
        if (law.cdf) {
          const cdf = await tensor("cdf");
          expect(worst((i) => Math.abs(law.cdf![i]! - cdf[i]!))).toBeLessThanOrEqual(1e-7);
        }
        const drawn = await operator.sampleProximal({ ...level, uniforms, ...second });
        expect(relativeError(drawn, await tensor("draw"))).toBeLessThanOrEqual(1e-6);
        // In the law's own coordinates every entry lies between the quantiles at uniforms -+ 2e-5.
        const entries = kind === "jpeg" ? dct(drawn, shape[2]!) : drawn;
        const edge = kind === "quantization" || kind === "jpeg" ? "law" : "draw";
        const [low, high] = [await tensor(`${edge}.lo`), await tensor(`${edge}.hi`)];
        const outside = worst((i) => Math.max(low[i]! - entries[i]!, entries[i]! - high[i]!) / Math.sqrt(variance[i]!));
        console.info(`  ${name} sigma ${sigma} rho ${rho}: ${outside.toExponential(1)} deviations outside`);
        expect(outside).toBeLessThanOrEqual(5e-4);
      }
    });
  }
});

describe("normal laws in float64", () => {
  // Values of tables and of mpmath.
  it("know the tails", () => {
    expect(logTail(0)).toBeCloseTo(-Math.LN2, 14);
    expect(Math.exp(logTail(1.959963984540054))).toBeCloseTo(0.025, 14);
    expect(logTail(40)).toBeCloseTo(-804.608442013754, 9);
    expect(logTail(-10)).toBeCloseTo(-7.619853024160527e-24, 34);
    expect(logMass(-1, 1)).toBeCloseTo(Math.log(0.6826894921370859), 13);
    expect(logMass(-Infinity, Infinity)).toBe(0);
  });

  it("quantiles are the inverse of probabilities, also far outside and in narrow cells", () => {
    for (const u of [1e-30, 1e-8, 0.01, 0.5, 0.975])
      expect(Math.exp(logTail(-normalQuantile(u)) - Math.log(u))).toBeCloseTo(1, 10);
    for (const [a, b] of [
      [30, 31],
      [-31, -30],
      [-0.5, 2],
      [1, 1.0001],
      [-2, Infinity],
    ] as const) {
      const middle = truncatedQuantile(0, 1, a, b, 0.25, 0.75);
      expect(Math.exp(logMass(a, middle) - logMass(a, b))).toBeCloseTo(0.25, 9);
    }
  });
});

describe("draws of laws", () => {
  const shape = [1, 40, 40];
  const x = noise(1, 1600).map((v) => 0.6 * v);

  it("have the law's own distribution function at uniforms, whatever its shape", async () => {
    const uniforms = Float32Array.from({ length: 1600 }, (_, i) => (i + 0.5) / 1600);
    const hdr = operators.hdr(gpu, { shape, scale: 3 });
    const poisson = operators.poisson(gpu, { shape, peak: 7, background: 0.5 });
    const counts = Float32Array.from({ length: 1600 }, (_, i) => (i * 7) % 12);
    const cases = [
      [
        hdr,
        await hdr.forward(x.map((v) => 0.8 * v)),
        [
          [0.05, 0.3],
          [0.3, 2],
          [0.02, 80],
        ],
      ],
      [
        poisson,
        counts,
        [
          [0, 0.1],
          [0, 3],
          [0, 80],
        ],
      ],
    ] as const;
    for (const [operator, y, levels] of cases) {
      for (const [sigma, rho] of levels) {
        const level = { x, y, rho, sigma };
        const at = await operator.sampleProximal({ ...level, uniforms });
        const { cdf } = await operator.law({ ...level, at });
        const worst = Math.max(...Array.from(uniforms, (u, i) => Math.abs(cdf![i]! - u)));
        expect(worst, `${operator.name} ${rho}`).toBeLessThanOrEqual(2e-5);
      }
    }
  });

  it("reach the tails, whichever piece holds them", async () => {
    const uniforms = Float32Array.from({ length: 1600 }, (_, i) =>
      i % 2 === 0 ? 10 ** -(1 + (i % 9)) : 1 - 2 ** -(1 + (i % 23)),
    );
    const operator = operators.hdr(gpu, { shape });
    const y = await operator.forward(x);
    for (const [sigma, rho] of [
      [0.05, 0.01],
      [0.5, 0.2],
      [0.02, 5],
    ] as const) {
      const level = { x, y, sigma, rho };
      const at = await operator.sampleProximal({ ...level, uniforms });
      const { cdf } = await operator.law({ ...level, at });
      // Relative to the smaller side: a draw at 1e-9 must not be one at 1e-12.
      const off = Array.from(uniforms, (u, i) => Math.abs(cdf![i]! - u) / Math.min(u, 1 - u));
      expect(Math.max(...off.filter((_, i) => uniforms[i]! < 0.5))).toBeLessThanOrEqual(5e-3);
      expect(Math.max(...off.filter((_, i) => 1 - uniforms[i]! > 1e-4))).toBeLessThanOrEqual(5e-3);
    }
  });

  it("stand at Phi of the first draw where no uniforms are given; noise of zeros is the median, not the mean", async () => {
    const operator = operators.hdr(gpu, { shape });
    const y = await operator.forward(x);
    const level = { x, y, sigma: 0.1, rho: 0.7 };
    const z = Float32Array.from(normals(5, 0, 1600));
    const uniforms = z.map((v) => Math.exp(logTail(-v)));
    const [byNoise, bySeed, byUniforms] = [
      await operator.sampleProximal({ ...level, noise: z }),
      await operator.sampleProximal({ ...level, seeds: [5] }),
      await operator.sampleProximal({ ...level, uniforms }),
    ];
    expect(relativeError(bySeed, byNoise)).toBeLessThanOrEqual(1e-6);
    expect(relativeError(byUniforms, byNoise)).toBeLessThanOrEqual(2e-6);
    const median = await operator.sampleProximal({ ...level, noise: new Float32Array(1600) });
    const { cdf, mean } = await operator.law({ ...level, at: median });
    expect(Math.max(...cdf!.map((p) => Math.abs(p - 0.5)))).toBeLessThanOrEqual(1e-5);
    expect(relativeError(median, mean)).toBeGreaterThan(0.01);
  });

  it("keep to their cells, 16 bits beside a wide prior included, and without sigma take no second draw", async () => {
    for (const [bits, rho] of [
      [1, 80],
      [8, 0.5],
      [16, 80],
    ] as const) {
      const operator = operators.quantization(gpu, { shape, bits });
      const levels = 2 ** bits - 1;
      const y = await operator.forward(x);
      const first = await operator.sampleProximal({ x, y, rho, seeds: [1], noiseY: noise(2, 1600) });
      const other = await operator.sampleProximal({ x, y, rho, sigma: 0, seeds: [1], noiseY: noise(3, 1600) });
      expect([...first]).toEqual([...other]);
      const inner = [...y.keys()].filter((i) => Math.abs(y[i]!) < 1 - 1e-6);
      const places = inner.map((i) => ((first[i]! - y[i]!) * levels) / 2);
      if (bits > 1) expect(Math.max(...places.map(Math.abs))).toBeLessThanOrEqual(0.5 + 2e-3);
      // Spread evenly over the cell where the prior is flat.
      if (rho === 80 && bits > 1)
        expect(Math.sqrt(places.reduce((sum, v) => sum + v * v, 0) / places.length)).toBeCloseTo(Math.sqrt(1 / 12), 1);
    }
  });

  it("of an image do not depend on its batch, to the bit", async () => {
    const small = [1, 16, 24];
    const [one, many] = [384, 1152];
    const centre = noise(6, many).map((v) => 0.5 * v);
    for (const [kind, config] of [
      ["hdr", { scale: 2 }],
      ["quantization", { bits: 3 }],
      ["jpeg", { quality: 30 }],
      ["poisson", { peak: 20 }],
    ] as const) {
      const operator = make[kind]!(small, config as never);
      const y = await operator.forward(centre);
      const all = await operator.sampleProximal({ x: centre, y, sigma: 0.05, rho: 0.4, seeds: [7, 8, 9] });
      const part = { x: centre.subarray(one, 2 * one), y: y.subarray(one, 2 * one) };
      const alone = await operator.sampleProximal({ ...part, sigma: 0.05, rho: 0.4, seeds: [8] });
      expect(Buffer.from(alone.buffer).equals(Buffer.from(all.slice(one, 2 * one).buffer)), kind).toBe(true);
      operator.close();
    }
  });

  it("the gradient of clipping is the slope of its energy", async () => {
    const operator = operators.hdr(gpu, { shape, scale: 2 });
    const y = noise(8, 1600);
    const direction = noise(9, 1600);
    const energy = async (step: number) => {
      const a = await operator.forward(x.map((v, i) => v + step * direction[i]!));
      return a.reduce((sum, v, i) => sum + (v - y[i]!) ** 2, 0);
    };
    const slope = ((await energy(1e-3)) - (await energy(-1e-3))) / 2e-3;
    const gradient = await operator.energyGradient!({ x, y });
    expect(gradient.reduce((sum, g, i) => sum + g * direction[i]!, 0) / slope).toBeCloseTo(1, 2);
    expect([...gradient].filter((g, i) => g !== 0 && Math.abs(2 * x[i]!) > 1)).toEqual([]);
  });
});

describe("bad arguments of laws are refused in one sentence", () => {
  const shape = [1, 8, 8];
  const x = new Float32Array(64);
  const level = { x, y: x, sigma: 0.1, rho: 1 };
  const cases: [string, RegExp, () => unknown][] = [
    ["scale", /scale must be a positive/, () => operators.hdr(gpu, { shape, scale: -1 })],
    ["bits", /bits must be an integer of at least 1/, () => operators.quantization(gpu, { shape, bits: 0 })],
    ["many bits", /at most 16/, () => operators.quantization(gpu, { shape, bits: 17 })],
    ["quality", /quality must be at most 100/, () => operators.jpeg(gpu, { shape, quality: 101 })],
    ["colour", /only grey/, () => operators.jpeg(gpu, { shape: [3, 8, 8], quality: 50 })],
    ["blocks", /no multiple of 8/, () => operators.jpeg(gpu, { shape: [1, 8, 9], quality: 50 })],
    ["peak", /peak must be a positive/, () => operators.poisson(gpu, { shape, peak: 0 })],
    ["background", /background must be/, () => operators.poisson(gpu, { shape, peak: 1, background: -1 })],
    // @ts-expect-error wrong on purpose
    ["unknown", /unknown option "bit"/, () => operators.quantization(gpu, { shape, bit: 3 })],
    ["no sigma", /sigma must be a positive/, () => operators.hdr(gpu, { shape }).sampleProximal({ x, y: x, rho: 1 })],
    ["law without sigma", /sigma must be/, () => operators.hdr(gpu, { shape }).law({ ...level, sigma: 0 })],
    ["rho", /rho must be a positive/, () => operators.poisson(gpu, { shape, peak: 9 }).law({ ...level, rho: 0 })],
    [
      "uniforms out of range",
      /uniforms holds 0 at index 3/,
      () => operators.hdr(gpu, { shape }).sampleProximal({ ...level, uniforms: x.map((_, i) => (i === 3 ? 0 : 0.5)) }),
    ],
    [
      "number of uniforms",
      /uniforms must be a Float32Array of 64/,
      () => operators.hdr(gpu, { shape }).sampleProximal({ ...level, uniforms: new Float32Array(3) }),
    ],
    [
      "uniforms and noise",
      /uniforms or noise/,
      () => operators.hdr(gpu, { shape }).sampleProximal({ ...level, uniforms: x, noise: x }),
    ],
    [
      "a draw that is not taken",
      /leave noiseY out/,
      () => operators.hdr(gpu, { shape }).sampleProximal({ ...level, noiseY: x }),
    ],
    [
      "negative counts",
      /y holds -1 at index 2: counts are not below 0/,
      () =>
        operators.poisson(gpu, { shape, peak: 9 }).sampleProximal({ ...level, y: x.map((_, i) => (i === 2 ? -1 : 0)) }),
    ],
    ["a cdf that is not there", /no cdf/, () => operators.jpeg(gpu, { shape, quality: 5 }).law({ ...level, at: x })],
    [
      "y of a law",
      /y must be a Float32Array of the 64/,
      () => operators.hdr(gpu, { shape }).law({ ...level, y: x.subarray(1) }),
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
