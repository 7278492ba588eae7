import { statSync } from "node:fs";
import type { Command } from "commander";
import { bad } from "../../errors.js";
import { trainingPreset } from "../../train/presets.js";
import type { EngineOptions } from "../parts/engine.js";
import { train } from "../train/train.js";

/** Options of `disco train` that pictures have too, or alone. */
export interface PictureFlags extends EngineOptions {
  data: string;
  outdir: string;
  steps?: number;
  batch?: number;
  lr?: number;
  sigmaMin?: number;
  seed: number;
  status?: number;
  checkpoint?: number;
  known?: number;
  P_mean?: number;
  P_std?: number;
  channels?: number;
  network?: string;
  force?: boolean;
  json?: boolean;
  quiet?: boolean;
}

/** Options that only pictures have, and those that only tables have. */
export const PICTURES = ["known", "P_mean", "P_std", "channels", "network"];
const TABLES = [
  ...["dims", "width", "decay", "posterior", "draw", "weight", "uniform", "sigmaMax", "emaRate", "direct", "diffusion"],
];

/** Whether the data are pictures: an archive or a folder, which no table is. */
export function arePictures(path: string): boolean {
  return /\.zip$/i.test(path) || (statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false);
}

/** @throws BAD_ARGUMENT naming the first of these options that was given */
export function refuseGiven(command: Command, names: readonly string[], why: string): void {
  const given = command.options.find(
    (option) =>
      names.includes(option.attributeName()) && command.getOptionValueSource(option.attributeName()) === "cli",
  );
  if (given) throw bad(`${given.long} ${why.replace(/^are/, "is")}`);
}

/** Of ln(sigma) of the noise of pictures (Wedenig and Peharz, appendix D, after Karras et al. 2022). */
const [P_MEAN, P_STD] = [-1.2, 1.2];

/** Trains a model of pictures as `train` trains a teacher: same network, optimiser, averages, report and state. */
export async function trainPictures(flags: PictureFlags, command: Command): Promise<void> {
  refuseGiven(command, TABLES, `is for tables: --data ${flags.data} holds pictures`);
  const preset = "fashion32";
  const own = trainingPreset(preset);
  const { data, outdir, seed, steps, lr, sigmaMin, known, status, checkpoint, channels, network, adapter } = flags;
  const { P_mean = P_MEAN, P_std = P_STD } = flags;
  const { force = false, json = false, quiet = false } = flags;
  const batch = flags.batch ?? own.batch;
  const images = (name: string, count: number | undefined) => (count === undefined ? {} : { [name]: count * batch });
  // Parameters that have been trained are not led astray by the first updates.
  const rampup = network === undefined ? own.rampup : own.rampup / 10;
  await train({
    ...{ data, outdir, preset, cond: false, batch, batchGpu: "auto", ema: [0.05, 0.1], samples: 16, fd: 0, seed },
    ...{ P_mean, P_std, force, json, quiet, precision: "f32", rampup },
    ...images("duration", steps),
    ...images("status", status),
    ...images("checkpoint", checkpoint),
    ...(lr === undefined ? {} : { lr }),
    ...(channels === undefined ? {} : { channels }),
    ...(network === undefined ? {} : { network }),
    ...(adapter === undefined ? {} : { adapter }),
    disco: {
      ...(sigmaMin === undefined ? {} : { sigmaMin }),
      ...(known === undefined ? {} : { known }),
    },
  });
}
