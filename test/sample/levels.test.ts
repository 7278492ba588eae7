import { describe, expect, it } from "vitest";
import { samplers } from "../../src/index.js";
import type { Operator } from "../../src/operators/operator.js";
import { type LevelOptions, samplingLevels } from "../../src/sample/levels.js";

describe("lists of levels are those of the authors' schedulers", () => {
  // By place in the list, from recorded lists in double precision.
  const lists: [string, LevelOptions, number, Record<number, number>][] = [
    [
      "DDPM",
      { schedule: "ddpm", steps: 1000 },
      1000,
      { 0: 157.40728081040757, 1: 155.82519376238224, 998: 0.014830923708982587, 999: 0.010000500037502575 },
    ],
    [
      "DiffPIR, 100",
      { schedule: "ddpm-quad", steps: 100 },
      100,
      { 1: 60.271410067824064, 2: 41.50529572381967, 3: 31.61109932786635, 98: 0.029987892604830493 },
    ],
    [
      "DiffPIR, 20",
      { schedule: "ddpm-quad", steps: 20 },
      20,
      { 1: 20.27407848167971, 2: 10.092294598712812, 18: 0.09869698889695198, 19: 0.010000500037502575 },
    ],
    [
      "type II",
      { steps: 50, sigmaMin: 0.01, sigmaMax: 80 },
      50,
      { 0: 80, 1: 72.09361061736082, 3: 58.269795233440476, 49: 0.01 },
    ],
  ];
  for (const [name, options, length, expected] of lists) {
    it(name, () => {
      const levels = samplingLevels(options);
      expect(levels.length).toBe(length);
      for (const [i, value] of Object.entries(expected)) expect(levels[Number(i)]! / value).toBeCloseTo(1, 13);
      for (let i = 1; i < length; i++) expect(levels[i]!).toBeLessThan(levels[i - 1]!);
    });
  }

  it("DPS' respacing of DDPM takes halves to the even neighbour", () => {
    const eight = [157.4, 41.15, 13.3, 5.171, 2.353, 1.149, 0.4957, 0.01];
    const levels = samplingLevels({ schedule: "ddpm", steps: 8 });
    expect(Array.from(levels, (level) => Number(level.toPrecision(4)))).toEqual(eight);
    const all = samplingLevels({ schedule: "ddpm", steps: 1000 });
    // Of 3 levels the middle one has the index 499.5 from the lowest: 500, the even one.
    expect(samplingLevels({ schedule: "ddpm", steps: 3 })[1]).toBe(all[999 - 500]);
  });

  it("one level is the highest; bounds leave levels out", () => {
    for (const schedule of ["karras", "ddpm", "ddpm-quad"] as const)
      expect(samplingLevels({ schedule, steps: 1, sigmaMax: schedule === "karras" ? 80 : null })[0]).toBeGreaterThan(
        79,
      );
    const bounded = samplingLevels({ schedule: "ddpm-quad", steps: 100, sigmaMax: 80, sigmaMin: 0.02 });
    expect([bounded[0], bounded.length]).toEqual([samplingLevels({ schedule: "ddpm-quad", steps: 100 })[1], 98]);
  });

  it("the most levels of a schedule descend strictly", () => {
    const levels = samplingLevels({ schedule: "ddpm-quad", steps: 501 });
    for (let i = 1; i < 501; i++) expect(levels[i]!).toBeLessThan(levels[i - 1]!);
    expect(() => samplingLevels({ schedule: "ddpm-quad", steps: 502 })).toThrow(/from 1 to 501 .* ddpm-quad, got 502/);
  });
});

describe("the table of samplers", () => {
  it("knows the evaluations of the defaults", () => {
    const counts = Object.entries(samplers).map(([name, s]) => [name, s.evaluations(s.settings)]);
    expect(Object.fromEntries(counts)).toMatchObject({
      ...{ "pnp-gd": 49, diffpir: 100, type2: 99, daps: 1000, "pnp-dm": 3573 },
      ...{ dps: 1000, pigdm: 100, mmps: 99, tmpd: 99 },
    });
  });

  it("lets pnp-dm enter its grid strictly below the coupling", () => {
    const of = { operator: { sampleProximal() {} } as unknown as Operator, generative: false };
    const count = (rho: number, sigmaMax: number) => {
      const given = { sigmas: [rho], diffusion: { steps: 5, sigmaMin: 0.1, sigmaMax, rho: 1 } };
      return samplers["pnp-dm"].evaluations(samplers["pnp-dm"].complete(given, of));
    };
    // The grid is 10, 7.525, 5.05, 2.575, 0.1, and then 0.
    expect([11, 10, 7.6, 5.05, 5, 0.11].map((rho) => count(rho, 10))).toEqual([5, 4, 4, 2, 2, 1]);
    for (const top of [3, 7, 10, 42.7, 80]) expect(count(top, top)).toBe(4);
  });

  it("has its entries under their names, and flags for settings that are there", () => {
    for (const [name, sampler] of Object.entries(samplers)) {
      expect(sampler.name).toBe(name);
      for (const { setting } of sampler.flags) {
        const [first, ...rest] = setting.split(".");
        expect(Object.keys(sampler.settings)).toContain(first);
        const group = (sampler.settings as Record<string, unknown>)[first!];
        if (rest.length > 0 && group !== null) expect(Object.keys(group as object)).toContain(rest[0]);
      }
    }
  });
});
