import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { emaExponent, emaRest, emaStd, learningRate, MAX_STD } from "../../src/train/schedule.js";
import { fixturePath } from "../support/fixtures.js";

/** Tables that the reference's code printed, in double precision. */
const recorded = JSON.parse(readFileSync(fixturePath("training/schedules.json"), "utf8"));

describe("learning rate", () => {
  for (const run of recorded.learning_rate) {
    it(run.name, () => {
      const rate = { refLr: run.ref_lr, refBatches: run.ref_batches, rampupMimg: run.rampup_Mimg };
      expect(run.cur_nimg.length).toBeGreaterThan(3);
      for (const [i, images] of run.cur_nimg.entries()) {
        const lr = learningRate(rate, images, run.batch_size);
        expect(Math.abs(lr - run.lr[i])).toBeLessThanOrEqual(1e-12 * run.lr[i]);
      }
    });
  }
});

describe("power-function averages", () => {
  it("exponents of standard deviations, and back", () => {
    expect(recorded.std_to_exponent.length).toBeGreaterThan(5);
    for (const { std, exponent } of recorded.std_to_exponent) {
      expect(Math.abs(emaExponent(std) / exponent - 1), `std ${std}`).toBeLessThan(1e-11);
    }
    for (const { exponent, std } of recorded.exponent_to_std)
      expect(Math.abs(emaStd(exponent) / std - 1)).toBeLessThan(1e-12);
    for (const std of [0.001, 0.02, 0.1, 0.25, 0.288]) expect(emaStd(emaExponent(std))).toBeCloseTo(std, 12);
  });

  it("decays of updates; the first forgets the start", () => {
    for (const { std, t_next, t_delta, beta } of recorded.beta) {
      expect(Math.abs(1 - emaRest(std, t_next, t_delta) - beta), `${std} at ${t_next}`).toBeLessThanOrEqual(1e-12);
    }
    expect(emaRest(0.05, 64, 64)).toBe(1);
    // (a + 1) B / t to first order, where beta in f32 would be 1.
    expect(emaRest(0.1, 2 ** 40, 1) / ((emaExponent(0.1) + 1) * 2 ** -40)).toBeCloseTo(1, 10);
  });

  it("refuses deviations that no profile has", () => {
    for (const std of [0, -1, MAX_STD, 0.3, Number.NaN]) expect(() => emaExponent(std)).toThrow("between 0 and 0.2887");
  });
});
