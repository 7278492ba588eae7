import { describe, expect, it } from "vitest";
import { normals } from "../../kernels/lib/philox.js";
import type { Gpu } from "../../src/gpu/device.js";
import { loadModel } from "../../src/networks/edm2/model.js";
import type { Operator, Solve } from "../../src/operators/operator.js";
import { operators } from "../../src/operators/operators.js";
import { watched } from "../../src/operators/own.js";
import { openExactStep, takesExactStep } from "../../src/sample/likelihood.js";
import { Run } from "../../src/sample/run.js";
import { solveInverse } from "../../src/sample/solve-inverse.js";
import { apply, inverse, type Matrix } from "../support/dense.js";
import { fixturePath, relativeError } from "../support/fixtures.js";
import { withTestGpu } from "../support/gpu.js";

let gpu: Gpu;
withTestGpu((own) => (gpu = own));

const shape = [3, 6, 8] as const;
const ONE = 144;
const SEEN = 12 * 3;
const noise = (seed: number, length: number) => Float32Array.from(normals(seed, 0, length));
const averaging = () => operators.averaging(gpu, { shape, factor: 2 });

/** The same maps with nothing else: on the GPU, or as a user's on arrays, with or without gram. */
const bySteps = () => {
  const { open, forward, adjoint, measurementShape } = averaging();
  const maps = async (batch: number) => Object.assign(await open(batch), { openProximal: undefined });
  return watched({ shape, measurementShape, forward, adjoint: adjoint!, open: maps, solver: { tolerance: 1e-4 } });
};
const onArrays = (more: Partial<Operator>) => () => {
  const { forward, adjoint, measurementShape } = averaging();
  return watched({ name: "mine", shape, measurementShape, forward, adjoint: adjoint!, ...more });
};

/** The operator's matrix, and the posterior's mean at x and y in float64. */
async function meanOf(operator: Operator, x: ArrayLike<number>, y: ArrayLike<number>, s: number, rho: number) {
  const columns = await operator.forward(
    Float32Array.from({ length: ONE * ONE }, (_, i) => Number(i % (ONE + 1) === 0)),
  );
  const a: Matrix = Array.from({ length: SEEN }, (_, i) =>
    Float64Array.from({ length: ONE }, (_, j) => columns[j * SEEN + i]!),
  );
  const ax = apply(a, x);
  const gram = a.map((row, i) =>
    Float64Array.from(
      a,
      (other, j) => row.reduce((sum, v, k) => sum + v * other[k]!, 0) + (i === j ? (s / rho) ** 2 : 0),
    ),
  );
  const w = apply(
    inverse(gram),
    ax.map((v, i) => y[i]! - v),
  );
  return Float64Array.from(x, (v, j) => v + a.reduce((sum, row, i) => sum + row[j]! * w[i]!, 0));
}

describe("the exact step that samplers open", () => {
  const kinds: [string, () => Operator, draws: 1 | 2][] = [
    ["a closed form on the GPU", averaging, 1],
    ["conjugate gradients on the GPU", bySteps, 2],
    ["on arrays with gram", onArrays({ gram: { W: 1 / 4 } }), 1],
    ["on arrays, conjugate gradients", onArrays({ solver: { tolerance: 1e-4 } }), 2],
  ];
  for (const [name, make, draws] of kinds) {
    it(`${name}: the mean is that of dense algebra, draws take their noise in order`, async () => {
      const operator = make();
      expect(takesExactStep(operator, {})).toBe(true);
      expect(operator.noiseShape).toEqual(draws === 2 ? [3, 3, 4] : undefined);
      const [x, y] = [noise(1, 2 * ONE), noise(2, 2 * SEEN)];
      const given: [draw: number, length: number][] = [];
      const callback = (draw: number, length: number) => {
        given.push([draw, length]);
        return noise(10 + draw, length);
      };
      const of = { gpu, shape };
      await Run.during(of, { what: "a test", batch: 2, noise: callback }, async (run) => {
        const step = await openExactStep(run, operator, { y, sigma: 0.1 });
        gpu.write(step.centre, x);
        await step.mean(0.7);
        expect(given).toEqual([]);
        const mean = await run.read(step.u);
        for (const n of [0, 1]) {
          const part = <T extends Float32Array>(v: T, one: number) => v.subarray(n * one, (n + 1) * one);
          const exact = await meanOf(operator, part(x, ONE), part(y, SEEN), 0.1, 0.7);
          expect(relativeError(part(mean, ONE), exact)).toBeLessThanOrEqual(2e-6);
        }
        step.skip();
        await step.draw(0.7);
        const lengths = draws === 2 ? [2 * ONE, 2 * SEEN] : [2 * ONE];
        expect(given).toEqual([...lengths, ...lengths].map((length, draw) => [draw, length]));
        const [z, zy] = [noise(10 + draws, 2 * ONE), noise(11 + draws, 2 * SEEN)];
        const input = { x, y, sigma: 0.1, rho: 0.7, noise: z, ...(draws === 2 ? { noiseY: zy } : {}) };
        expect(relativeError(await run.read(step.u), await operator.sampleProximal!(input))).toBeLessThanOrEqual(1e-6);
        expect(run.solves.map(({ converged }) => converged)).toEqual(draws === 2 ? [true, true] : []);
        // After a draw the mean is the mean again.
        await step.mean(0.7);
        expect(await run.read(step.u)).toEqual(mean);
      });
    });
  }

  it("tells a map that is not linear, and an adjoint that is another map's", async () => {
    const open = (operator: Operator) =>
      Run.during({ gpu, shape }, { what: "a test", batch: 1 }, (run) =>
        openExactStep(run, operator, { y: new Float32Array(SEEN), sigma: 1 }),
      );
    const { forward } = averaging();
    const shifted = async (x: Float32Array) => (await forward(x)).map((v) => v + 1);
    await expect(open(onArrays({ forward: shifted })())).rejects.toThrow(/mine is not linear: A\(2 a \+ b\) differs/);
    const other = async (y: Float32Array) => (await averaging().adjoint!(y)).map((v) => 2 * v);
    await expect(open(onArrays({ adjoint: other })())).rejects.toThrow(/adjoint of mine is not that of its forward/);
    await expect(open(onArrays({ gram: { W: 1 / 2 } })())).rejects.toThrow(/gram of mine is not that of A/);
  });
});

describe("a PnP-GD run through an operator of two draws", () => {
  it("asks for z and zy in turn, the skipped last step's too, and tells of its conjugate gradients", async () => {
    const model = await loadModel(gpu, fixturePath("ncvsd-tiny.safetensors"));
    const pixels = 768;
    const operator = operators.matrix(gpu, {
      shape: model.shape,
      matrix: noise(3, 5 * pixels).map((v) => v / 30),
      rows: 5,
      solver: { tolerance: 1e-3, maxIterations: 12 },
    });
    const solve = async (own: Operator) => {
      const lengths: number[] = [];
      const steps: (Solve | undefined)[] = [];
      const { images, capped } = await solveInverse(model, {
        operator: own,
        measurement: noise(4, 10),
        beta: 0.01,
        sigmas: [10, 3, 0.5],
        onStep: (event) => void steps.push(event.solve),
        noise(draw, length) {
          lengths.push(length);
          return noise(20 + draw, length);
        },
      });
      expect(lengths).toEqual([2 * pixels, ...[1, 2].flatMap(() => [2 * pixels, 2 * pixels, 10])]);
      expect(steps[0]).toMatchObject({ converged: true });
      expect(steps[1]).toBeUndefined();
      expect(capped).toBe(0);
      return images;
    };
    const images = await solve(operator);
    // With the adjoint alone an operator on arrays is linear and gets the same step.
    const { forward, adjoint, measurementShape, solver } = operator;
    const mine = { shape: model.shape, measurementShape, forward, adjoint: adjoint!, solver: solver! };
    expect(relativeError(await solve(mine), images)).toBeLessThanOrEqual(1e-4);
    model.close();
  });
});
