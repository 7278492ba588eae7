import { type Command, Option } from "commander";
import { bad, NcvsdError } from "../../errors.js";
import type { Gpu } from "../../gpu/device.js";
import type { Model } from "../../networks/edm2/model.js";
import { parseInteger, parseNumber, parseTs } from "../../runs/args.js";
import type { ChosenSampler } from "../../runs/generate.js";
import type { Options } from "../../runs/origin.js";
import type { Stopwatch } from "../../runs/stopwatch.js";
import { type Sampler, type SamplerFlag, type SamplerName, samplers } from "../../sample/samplers.js";
import { loadNetwork } from "./engine.js";

/** Options that say how images are sampled, by their attributes: "S_churn" of `--S_churn`. */
export type SamplerFlags = Readonly<Record<string, unknown>>;

const OF: Record<Sampler["architecture"], string> = { ncvsd: "NCVSD", edm2: "EDM2" };
const table = Object.entries(samplers) as [SamplerName, Sampler][];
const attributeOf = ({ option, help }: SamplerFlag) => new Option(option, help).attributeName();

/** Adds the options of every sampler to a command. */
export function addSamplerOptions(command: Command): Command {
  for (const [, { architecture, flags }] of table) {
    command.optionsGroup(`${OF[architecture]}:`);
    for (const flag of Object.values(flags)) command.addOption(optionOf(flag));
  }
  return command;
}

function optionOf({ option, help, value }: SamplerFlag): Option {
  const name = option.split(" ")[0]!;
  const made = new Option(option, help);
  if ("number" in value) made.argParser((text) => parseNumber(text, name, value.number));
  if ("integer" in value) made.argParser((text) => parseInteger(text, name, value.integer));
  if ("list" in value) made.argParser((text) => parseTs(text));
  return made;
}

export interface Chosen {
  readonly sampler: ChosenSampler;
  /** What of it decides an image, for the record and the fingerprint. */
  readonly deciding: Options;
}

/**
 * The sampler that a checkpoint's architecture asks for, with the options' settings.
 * @throws NcvsdError BAD_ARGUMENT for options of another architecture, or that contradict one another
 */
export async function chooseSampler(
  gpu: Gpu,
  model: Model,
  given: object,
  watch: Stopwatch,
  silent: boolean,
): Promise<Chosen> {
  const flags = given as SamplerFlags;
  const [name, sampler] = table.find(([, { architecture }]) => architecture === model.architecture)!;
  for (const [, other] of table) {
    const foreign = Object.values(other.flags).find((flag) => flags[attributeOf(flag)] !== undefined);
    if (other.architecture === model.architecture || !foreign) continue;
    const is = model.architecture === "edm2" ? "an EDM2 teacher" : "an NCVSD network";
    const whose = other.architecture === "edm2" ? "EDM2 teachers" : "NCVSD networks";
    throw bad(`${foreign.option.split(" ")[0]} is for ${whose}, but ${model.checkpoint.name} is ${is}: leave it out.`);
  }
  const settings: Record<string, unknown> = { ...sampler.settings };
  for (const [key, flag] of Object.entries(sampler.flags)) settings[key] = flags[attributeOf(flag)] ?? settings[key];
  const contradiction = sampler.contradiction(settings);
  if (contradiction) throw bad(contradiction);
  const deciding: Record<string, unknown> = { sampler: name, ...settings };
  for (const [key, { value }] of Object.entries(sampler.flags)) {
    const path = settings[key];
    if (!("file" in value) || typeof path !== "string") continue;
    const network = await loadNetwork(gpu, path, watch, silent);
    checkGuide(network, model);
    settings[key] = network;
    deciding[key] = await network.checkpoint.sha256();
  }
  return { sampler: { name, settings }, deciding: deciding as Options };
}

function checkGuide(gnet: Model, model: Model): void {
  const fail = (why: string) => new NcvsdError("BAD_ARGUMENT", `--gnet ${gnet.checkpoint.name} ${why}.`);
  if (gnet.architecture !== "edm2") throw fail("is an NCVSD network: guidance needs another EDM2 teacher");
  if (gnet.shape.join() !== model.shape.join())
    throw fail(`makes images ${gnet.shape.join("x")}, but --net ${model.shape.join("x")}: they must agree`);
  const [theirs, own] = [gnet.config.label_dim, model.config.label_dim];
  if (theirs !== 0 && theirs !== own)
    throw fail(`has ${theirs} classes, but --net ${own}: it gets the same labels, so they must agree, or it has none`);
}
