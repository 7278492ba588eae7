import { describe, expect, it } from "vitest";
import { trainingPreset, trainingPresets } from "../../src/train/presets.js";

const MI = 2 ** 20;

describe("presets of training", () => {
  it("are the reference's", () => {
    expect([...trainingPresets.keys()].filter((name) => name.startsWith("edm2-"))).toHaveLength(13);
    expect(trainingPreset("edm2-img64-s")).toEqual({
      config: { model_channels: 192, dropout: 0 },
      ...{ duration: 1024 * MI, batch: 2048, refLr: 0.01, refBatches: 35_000, rampup: 1e7 },
      ...{ pMean: -0.8, pStd: 1.6, lossScaling: 1, status: 2 ** 17, snapshot: 8 * MI, checkpoint: 128 * MI },
    });
    const columns = (name: string) => {
      const { config, refLr, duration, refBatches, pMean, pStd } = trainingPreset(name);
      return [config.model_channels, refLr, config.dropout, duration / MI, refBatches, pMean, pStd];
    };
    expect(columns("edm2-img512-xxs")).toEqual([64, 0.017, 0, 2048, 70_000, -0.4, 1]);
    expect(columns("edm2-img512-xxl")).toEqual([448, 0.0065, 0.1, 896, 70_000, -0.4, 1]);
    expect(columns("edm2-img64-m")).toEqual([256, 0.009, 0.1, 2048, 35_000, -0.8, 1.6]);
    expect(columns("edm2-img64-xl")).toEqual([384, 0.007, 0.1, 640, 35_000, -0.8, 1.6]);
    const { batch, rampup, lossScaling } = trainingPreset("edm2-ffhq256-xs");
    expect([batch, rampup, lossScaling]).toEqual([128, 1e6, 0.1]);
  });

  it("say what there is when there is no such", () => {
    for (const name of ["edm2-img64-xxs", "edm2-img64-xxl", "toString"])
      expect(() => trainingPreset(name), name).toThrow(/is none: there are fashion32, edm2-img64-xs/);
  });

  it("keep snapshots and batches in step", () => {
    for (const { snapshot, batch } of trainingPresets.values())
      expect([snapshot % batch, snapshot % 1024]).toEqual([0, 0]);
  });
});
