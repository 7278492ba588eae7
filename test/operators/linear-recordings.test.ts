import { describe, expect, it } from "vitest";
import type { Gpu } from "../../src/gpu/device.js";
import { loadModel } from "../../src/networks/edm2/model.js";
import type { HadamardOptions } from "../../src/operators/hadamard.js";
import { operators } from "../../src/operators/operators.js";
import { solveInverse } from "../../src/sample/solve-inverse.js";
import { fixturePath, Recording, recordedNoise, relativeError } from "../support/fixtures.js";
import { withTestGpu } from "../support/gpu.js";
import { recordedOperator, replayOperator } from "../support/replay-operator.js";

let gpu: Gpu;
withTestGpu((own) => (gpu = own));

const open = (name: string) => Recording.open(`posterior-operators/${name}.safetensors`);

describe("forward, adjoint, means and draws agree with dense algebra", () => {
  const oneDraw = [
    "averaging_x3_9x15",
    "bicubic_x4_16",
    "decimated_x3_9x15_k5_offset",
    "demosaic_gbrg_6",
    "gaussian_reflect_8_k21",
    "gaussian_zero_13x8_k6",
    "hadamard_natural_8_r4",
    "mask_empty_8",
    "separable_dense_12x9",
  ];
  const twoDraws = ["matrix_tall_90_of_64", "varying_circular_12x10"];
  for (const name of [...oneDraw, ...twoDraws]) {
    it(name, async () => {
      const r = await open(name);
      const solver = { tolerance: 1e-3, maxIterations: 3000 };
      const operator = await recordedOperator(gpu, operators, r, twoDraws.includes(name) ? { solver } : {});
      expect(operator.measurementShape).toEqual(r.meta("measurement_shape"));
      expect(operator.noiseShape).toEqual(twoDraws.includes(name) ? operator.measurementShape : undefined);
      for (const { tensor, relative, deviations, limit } of await replayOperator(r, operator)) {
        const told = deviations === undefined ? "" : `, ${deviations.toExponential(1)} deviations`;
        console.info(`  ${tensor}: ${relative.toExponential(1)}${told} (limit ${limit.toExponential(1)})`);
        // Directions that a measurement of two draws hardly sees are loose in any norm but the posterior's own.
        expect(operator.noiseShape && deviations !== undefined ? deviations : relative, tensor).toBeLessThanOrEqual(
          limit,
        );
        expect(deviations ?? 0, tensor).toBeLessThanOrEqual(0.01);
      }
      expect(operator.solve?.converged).toBe(twoDraws.includes(name) ? true : undefined);
      operator.close!();
    });
  }
});

describe("a whole PnP-GD run", () => {
  it("through block means, with recorded draws", async () => {
    const r = await open("pnp_averaging");
    const { factor, beta, emaSigma, emaDecay } = r.meta<Record<string, number>>("config")!;
    const model = await loadModel(gpu, fixturePath(r.checkpoint.metadata.weights!));
    const { images } = await solveInverse(model, {
      operator: operators.averaging(gpu, { shape: model.shape, factor: factor! }),
      measurement: await r.values("y"),
      sigmas: await r.values("sigmas"),
      ...{ beta: beta!, emaSigma: emaSigma!, emaDecay: emaDecay! },
      noise: await recordedNoise(r, true),
    });
    const error = relativeError(images, await r.truth("x0"));
    console.info(`  x0: ${error.toExponential(1)}`);
    expect(error).toBeLessThanOrEqual(1e-5);
    model.close();
  });
});

describe("Hadamard rows", () => {
  it("are kept in the recorded orders", async () => {
    const r = await open("hadamard_orders");
    expect(r.names.length).toBeGreaterThanOrEqual(9);
    for (const name of r.names) {
      const [order, size] = name.split(".") as [NonNullable<HadamardOptions["order"]>, string];
      const rows = new Int32Array((await r.checkpoint.readBytes(name)).slice().buffer);
      const shape = [1, ...size.split("x").map(Number)];
      expect(operators.hadamard(gpu, { shape, order }).indices, name).toEqual(rows);
      expect(operators.hadamard(gpu, { shape, order, ratio: 4.5 }).indices, name).toEqual(
        rows.slice(0, Math.floor(rows.length / 4.5)),
      );
    }
  });
});
