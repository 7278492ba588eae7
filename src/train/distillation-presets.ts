import { presetOf, type RunPreset } from "./presets.js";

/** Settings of one distillation; numbers of images unless said otherwise. */
export interface DistillationPreset extends RunPreset {
  /** Rates of generator and discriminator, relative to the score model's. */
  readonly gLrScaling: number;
  readonly dLrScaling: number;
  /** Weight of the adversarial loss, and images before it begins. */
  readonly ganLossScaling: number;
  readonly ganWarmup: number;
  readonly gamma: number;
  /** Time steps of the sheets at snapshots (indices of the 40-level grid). */
  readonly ts: readonly number[];
}

const [KI, MI] = [2 ** 10, 2 ** 20];

/** NCVSD, table 3, and the reference's preset files where that table and they disagree (ramp-up, refBatches of img64-L). */
function ncvsd(family: "img64" | "img512", size: "s" | "m" | "l"): [string, DistillationPreset] {
  const refLr = { s: 0.01, m: 0.009, l: 0.008 }[size];
  return [
    `ncvsd-${family}-${size}`,
    {
      ...{ duration: 64 * MI, batch: 2048, refLr, refBatches: family === "img64" ? 35_000 : 70_000, rampup: 1e7 },
      ...{ gLrScaling: 0.01, dLrScaling: 0.01, ganLossScaling: 1, ganWarmup: 16_778_000, gamma: 0.414, lossScaling: 1 },
      ...(family === "img64" ? { pMean: -0.8, pStd: 1.6 } : { pMean: -0.4, pStd: 1 }),
      ...{ status: 128 * KI, snapshot: MI, checkpoint: 4 * MI, ts: [10, 22, 39] },
    },
  ];
}

/**
 * By name. `ncvsd-...` are the paper's. `fashion32` is for small networks and small batches: a score model that learns some
 * thirteen times as fast as the generator, and an adversarial weight eight times the published one, as runs of a network of the
 * bundled shape needed them.
 */
export const distillationPresets: ReadonlyMap<string, DistillationPreset> = new Map([
  [
    "fashion32",
    {
      ...{ duration: MI, batch: 32, refLr: 4e-3, refBatches: 3000, rampup: 0, gLrScaling: 0.075, dLrScaling: 0.25 },
      ...{ ganLossScaling: 8, ganWarmup: 32 * KI, gamma: 0.414, pMean: -0.8, pStd: 1.6, lossScaling: 1 },
      ...{ status: KI, snapshot: 64 * KI, checkpoint: 16 * KI, ts: [10] },
    },
  ],
  ...(["img64", "img512"] as const).flatMap((family) => (["s", "m", "l"] as const).map((size) => ncvsd(family, size))),
  [
    "ncvsd-ffhq256-xs",
    {
      ...{ duration: 4 * MI, batch: 128, refLr: 0.012, refBatches: 35_000, rampup: 1e6, gLrScaling: 0.01 },
      ...{ dLrScaling: 0.01, ganLossScaling: 1, ganWarmup: 1_049_000, gamma: 0.414, pMean: -0.8, pStd: 1.6 },
      ...{ lossScaling: 0.1, status: 128 * KI, snapshot: 64 * KI, checkpoint: 256 * KI, ts: [0, 14, 39] },
    },
  ],
]);

/** @throws BAD_ARGUMENT for a name that is none, with those that are */
export const distillationPreset = (name: string): DistillationPreset => presetOf(distillationPresets, name);
