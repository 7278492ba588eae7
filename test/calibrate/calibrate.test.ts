import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { calibrate } from "../../src/calibrate/calibrate.js";
import { directionsOf } from "../../src/calibrate/directions.js";
import { type Judge, judged } from "../../src/calibrate/judged.js";
import { calibrationPage } from "../../src/calibrate/page.js";
import { datasetProblem, type KnownProblem, mixtureProblem } from "../../src/calibrate/problem.js";
import { verdictOf } from "../../src/calibrate/verdict.js";
import type { Gpu } from "../../src/gpu/device.js";
import type { Operator } from "../../src/operators/operator.js";
import { operators } from "../../src/operators/operators.js";
import { datasetPrior } from "../../src/priors/dataset-prior.js";
import { gaussianMixture } from "../../src/priors/mixture.js";
import { calibratedLevels } from "../../src/sample/posterior/calibrated.js";
import { openTestGpu } from "../support/gpu.js";
import { RawTensors } from "../support/raw-tensors.js";

let gpu: Gpu;
beforeAll(async () => {
  gpu = await openTestGpu();
});
afterAll(() => gpu.close());

const file = new RawTensors("priors/mixture_image_4x4.safetensors");
const mix = gaussianMixture({
  means: file.values("means"),
  covs: file.values("covs"),
  weights: file.values("weights"),
});
const RUNS = 19;
const CASES = 80;
const head = { task: "t", description: "d", version: "0", date: "today", adapter: "a", command: "c <d>" };

/** The recorded matrix of 5 measurements as an operator with what PnP-GD needs, by brute force on the host. */
function recordedOperator(): Operator {
  const matrix = file.values("matrix");
  return {
    name: "recorded",
    shape: [1, 4, 4],
    measurementShape: [5],
    async forward(x) {
      return Float32Array.from({ length: (x.length / 16) * 5 }, (_, at) => {
        const [n, i] = [Math.floor(at / 5), at % 5];
        let sum = 0;
        for (let j = 0; j < 16; j++) sum += matrix[i * 16 + j]! * x[n * 16 + j]!;
        return sum;
      });
    },
    async adjoint(y) {
      return Float32Array.from({ length: (y.length / 5) * 16 }, (_, at) => {
        const [n, j] = [Math.floor(at / 16), at % 16];
        let sum = 0;
        for (let i = 0; i < 5; i++) sum += matrix[i * 16 + j]! * y[n * 5 + i]!;
        return sum;
      });
    },
  };
}

describe("what exact draws are told", () => {
  let problem: KnownProblem;
  let judge: Judge;
  beforeAll(async () => {
    problem = await mixtureProblem(gpu, mix, { operator: recordedOperator(), sigmaY: 0.05, observed: 5 });
    const cases = await problem.cases(CASES, 3);
    const drawn = (from: number) => Float32Array.from(cases.flatMap((c, i) => Array.from(c.draw(RUNS, from + i))));
    judge = {
      problem,
      cases,
      runs: RUNS,
      directions: await directionsOf(problem),
      exact: drawn(1000),
      others: drawn(2000),
    };
  });
  afterAll(() => problem.close());

  /** Exact draws with what they differ by from the case's mean stretched. */
  const stretched = (by: number) =>
    judge.exact.map((v, at) => {
      const mean = judge.cases[Math.floor(at / (RUNS * 16))]!.mean[at % 16]!;
      return mean + by * (v - mean);
    });

  it("passes them", async () => {
    expect(judge.directions!.measured.filter(Boolean)).toHaveLength(5);
    const found = await judged(judge, judge.exact);
    expect(verdictOf(found)).toEqual({ passed: true, line: expect.stringContaining("no deviation") });
    expect(found.all.central[50].value).toBeCloseTo(0.5, 1);
    expect(found.misfit.value).toBe(found.misfit.expected);
    expect(found.measured!.coordinates + found.blind!.coordinates).toBe(16);
  });

  it("tells draws that are too narrow, and by how much", async () => {
    const found = await judged(judge, stretched(0.6));
    const { passed, line } = verdictOf(found);
    expect(passed).toBe(false);
    expect(found.blind!.factor.value).toBeCloseTo(1 / 0.6, 0);
    expect(line).toMatch(/too narrow by 1\.\d+ in the data's blind directions/);
    expect(found.all.central[90].value).toBeLessThan(0.85);
  });

  it("tells draws that are too wide", async () => {
    expect(verdictOf(await judged(judge, stretched(1.7))).line).toMatch(/too wide by 1\.\d+/);
  });

  it("tells draws that lie off the measurement, which each coordinate alone hardly shows", async () => {
    const a = file.values("matrix").subarray(0, 16);
    const size = a.reduce((sum, v) => sum + v * v, 0);
    const moved = judge.exact.map((v, at) => v + (0.2 * (at % 32 < 16 ? 1 : -1) * a[at % 16]!) / size);
    expect(verdictOf(await judged(judge, moved)).line).toMatch(/off the measurement: misfit [2-9]/);
  });
});

describe("a calibration", () => {
  it("finds PnP-GD at the paper's levels off the measurement, and nearly right at levels around the noise", async () => {
    const operator = operators.inpainting(gpu, { shape: [1, 4, 4], box: [1, 3, 1, 3] });
    const problem = await mixtureProblem(gpu, mix, { operator, sigmaY: 0.1, observed: 12 });
    const settings = { sigmas: calibratedLevels({ sigmaY: 0.1 }) };
    const entrants = [
      { label: "paper", sampler: "pnp-gd" as const, settings: {} },
      { label: "calibrated", sampler: "pnp-gd" as const, settings },
    ];
    const common = { cases: 30, runs: RUNS, seed: 1, curve: false, batch: 500 };
    const found = await calibrate({ problem, entrants, ...common });
    expect(found.control.passed).toBe(true);
    const [paper, calibrated] = found.entries;
    expect([paper!.evaluations, calibrated!.evaluations]).toEqual([49, 49]);
    expect(paper!.passed).toBe(false);
    const excess = ({ misfit }: { misfit: { value: number; expected: number } }) => misfit.value - misfit.expected;
    expect(excess(calibrated!.judgement)).toBeLessThan(excess(paper!.judgement) / 3);
    expect(calibrated!.judgement.slicedW1.value).toBeLessThan(paper!.judgement.slicedW1.value / 2);
    // The same whatever the batch.
    const few = await calibrate({ problem, entrants: [entrants[1]!], ...common, cases: 10 });
    const again = await calibrate({ problem, entrants: [entrants[1]!], ...common, cases: 10, batch: 60 });
    expect(again.entries[0]!.judgement).toEqual(few.entries[0]!.judgement);

    const page = calibrationPage(found, head);
    for (const said of ["Verdicts", "exact draws", "calibrated", "12 measured directions, 4 blind ones", "c &lt;d&gt;"])
      expect(page).toContain(said);
    expect(page.match(/<svg/g)).toHaveLength(6);
    expect(page).not.toContain("check itself failed");
    const control = { ...found.control, passed: false, verdict: "wrong" };
    expect(calibrationPage({ ...found, control }, head)).toContain("The check itself failed");
    operator.close?.();
    await problem.close();
  });

  it("judges samplers on a set of pictures, with any operator", async () => {
    const recorded = new RawTensors("priors/dataset_phase_8.safetensors");
    const set = await datasetPrior(gpu, { images: recorded.f32("images"), shape: [1, 8, 8] });
    const operator = operators.phaseRetrieval(gpu, { shape: [1, 8, 8], pad: 4 });
    const problem = await datasetProblem(gpu, set, { operator, sigmaY: 0.3, observed: 256 });
    const entrants = [{ label: "daps", sampler: "daps" as const, settings: { steps: 4, mcmc: { steps: 2 } } }];
    const found = await calibrate({ problem, entrants, cases: 20, runs: 9, seed: 2, curve: true, batch: 1000 });
    expect(found.control).toMatchObject({ passed: true });
    expect(found.ess).toBeGreaterThan(3);
    expect(found.directions).toBeUndefined();
    // Two MCMC steps can't do.
    expect(found.entries[0]!.passed).toBe(false);
    expect(found.entries[0]!.curve.length).toBeGreaterThan(1);
    expect(calibrationPage(found, head)).toContain("can&#39;t be told apart");
    operator.close?.();
    await problem.close();
    set.close();
  });

  it("refuses a mixture where the measurement isn't linear", async () => {
    const operator = operators.phaseRetrieval(gpu, { shape: [1, 4, 4], pad: 2 });
    await expect(mixtureProblem(gpu, mix, { operator, sigmaY: 1, observed: 64 })).rejects.toThrow(
      /linear measurements only/,
    );
    operator.close?.();
  });
});

describe("calibratedLevels", () => {
  it("descend strictly from sigmaMax to below the noise, as many as asked for", () => {
    for (const [steps, sigmaY] of [
      [50, 0.05],
      [20, 0.3],
      [4, 1],
      [200, 0.01],
    ] as const) {
      const levels = calibratedLevels({ steps, sigmaY });
      expect(levels).toHaveLength(steps);
      expect(levels[0]).toBe(80);
      expect(levels.every((level, i) => i === 0 || level < levels[i - 1]!)).toBe(true);
      expect(levels.at(-2)! / sigmaY).toBeLessThan(0.5);
    }
  });
});
