import { readFileSync, statSync } from "node:fs";
import type { Command } from "commander";
import { bad } from "../../errors.js";
import { reason } from "../../runs/whole-file.js";
import type { DiscoImageOptions } from "../../train/disco-images.js";
import { type TrainingPreset, trainingPreset, trainingPresets } from "../../train/presets.js";
import type { ConfigInput } from "../../train/source.js";
import { TEACHER_HELP } from "../parts/published.js";
import {
  addBatches,
  addDraws,
  addFetching,
  addIntervals,
  addPlaces,
  addSamplesAndOthers,
  type CommonFlags,
  commonSettings,
  condOption,
  dropoutOption,
  images,
  integer,
  number,
  presetOption,
} from "./common-flags.js";

export interface TrainFlags extends CommonFlags {
  config?: string;
  channels?: number;
  /** DISCO's model of images in place of a denoiser: `disco train`. */
  disco?: DiscoImageOptions;
  /** What to begin with the parameters of; its arguments are then the network's. */
  network?: string;
}

const LARGEST_CONFIG = 2 ** 20;

export function addTrainOptions(command: Command): Command {
  addFetching(addPlaces(command).optionsGroup("Network and data:"))
    .option("--network <network>", `begin with its parameters and arguments: ${TEACHER_HELP}`)
    .addOption(presetOption(`${[...trainingPresets.keys()].join(", ")}; size, channels and classes are the data's`))
    .option("--config <file>", "JSON with arguments of the network by the reference's names, in place of the preset's")
    .option("--channels <n>", "model_channels: the network's width", integer("--channels", 1, 65536))
    .addOption(dropoutOption("probability of dropout"))
    .addOption(condOption("train with the data's labels"));
  addBatches(command, "update", "images of an update")
    .option("--lr <rate>", "reference learning rate", number("--lr", { above: 0 }))
    .option("--decay <batches>", "updates after which the rate falls; 0: it does not", number("--decay", { min: 0 }))
    .option("--rampup <images>", "images in which the rate rises from 0; 0: none", images("--rampup", 0));
  addDraws(
    command,
    "sigma",
    "relative standard deviations of the averages; the first is sampled",
    "seed of weights, order and noise",
  );
  addIntervals(command, "update");
  return addSamplesAndOthers(command, "update");
}

/** Everything about a run but the data and the device, defaults filled in. */
export interface TrainSettings extends Omit<TrainingPreset, "config"> {
  readonly config: ConfigInput;
}

/** The preset with what the flags and the file of `--config` change. @throws BAD_ARGUMENT naming what does not go together */
export function settingsOf(flags: TrainFlags): TrainSettings {
  const preset = trainingPreset(flags.preset);
  if (flags.network !== undefined && flags.channels !== undefined)
    throw bad("--channels is that of a new network: --network brings its own");
  const own = flags.config === undefined ? {} : readConfig(flags.config);
  const config: ConfigInput = {
    ...(flags.network === undefined && preset.config),
    ...own,
    ...(flags.channels !== undefined && { model_channels: flags.channels }),
    ...(flags.dropout !== undefined && { dropout: flags.dropout }),
  };
  return { ...commonSettings(flags, preset), config };
}

function readConfig(path: string): ConfigInput {
  let text: string;
  try {
    const { size } = statSync(path);
    if (size > LARGEST_CONFIG) throw bad(`--config ${path} has ${size} bytes: it is no JSON of a network's arguments`);
    text = readFileSync(path, "utf8");
  } catch (cause) {
    throw bad(`--config ${path} cannot be read: ${reason(cause)}`, cause);
  }
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw bad(`--config ${path} is no JSON: ${(cause as Error).message}`);
  }
  if (typeof json !== "object" || json === null || Array.isArray(json))
    throw bad(`--config ${path} must be a JSON object such as {"model_channels": 64}`);
  return json as ConfigInput;
}
