import { type Command, Option } from "commander";
import { bad, orAll, quote } from "../../errors.js";
import { parseInteger, parseNumber, parseTs } from "../../runs/args.js";
import type { PosteriorSampler, SettingFlag } from "../../sample/posterior/sampler.js";
import { isPosteriorSampler, type PosteriorSamplerName, posteriorSamplers } from "../../sample/posterior/samplers.js";
import type { Settings } from "../../sample/samplers.js";
import { SETTINGS_OF, type SettingsOf } from "../../sample/task-settings.js";

/** What the command line says about the sampler; every option of a sampler beside it is text, or a switch. */
export interface SamplerFlags {
  readonly sampler?: string;
  readonly settings?: SettingsOf;
}

const SAMPLERS = Object.values<PosteriorSampler>(posteriorSamplers);
const flagName = ({ option }: SettingFlag) => option.split(" ")[0]!;
const attributeOf = ({ option }: SettingFlag) => new Option(option).attributeName();

/** Adds the options of every sampler to a command, each once. */
export function addPosteriorOptions(command: Command): Command {
  const list = SAMPLERS.map(({ title }) => title.split(":")[0]!.replace(/ \(.*/, "")).join(", ");
  command
    .optionsGroup("Sampler (settings: the task's, else the sampler's authors'):")
    .option(
      "--sampler <name>",
      `${Object.keys(posteriorSamplers).join(", ")} (${list}; default: pnp-gd, of a teacher diffpir, or daps where A has no closed form)`,
    )
    .addOption(
      new Option("--settings <whose>", "whose settings of the task, where they differ (default: paper)").choices(
        SETTINGS_OF,
      ),
    );
  for (const [option, helps] of collected()) {
    const all = helps.size === 1 && [...helps.values()][0]!.length === SAMPLERS.length;
    const help = Array.from(helps, ([text, names]) => (all ? text : `${names.join(", ")}: ${text}`));
    command.option(option, help.join("; "));
  }
  return command;
}

/** For every option the samplers by what it means to them. */
function collected(): Map<string, Map<string, string[]>> {
  const all = new Map<string, Map<string, string[]>>();
  for (const { name, flags } of SAMPLERS) {
    for (const { option, help } of flags) {
      const helps = all.get(option) ?? new Map<string, string[]>();
      all.set(option, helps.set(help, [...(helps.get(help) ?? []), name]));
    }
  }
  return all;
}

/** `--sampler`, checked. */
export function parseSampler({ sampler }: SamplerFlags): PosteriorSamplerName | undefined {
  if (sampler === undefined || isPosteriorSampler(sampler)) return sampler;
  throw bad(`--sampler ${quote(sampler)} is not known: ${orAll(sampler, Object.keys(posteriorSamplers))}`);
}

/**
 * The settings that options give a sampler.
 * @throws NcvsdError BAD_ARGUMENT for options of other samplers, or out of range
 */
export function parseSettings(flags: SamplerFlags, name: PosteriorSamplerName): Settings {
  const values = flags as Readonly<Record<string, unknown>>;
  const own: readonly SettingFlag[] = posteriorSamplers[name].flags;
  const owners = new Map(SAMPLERS.flatMap(({ flags: all }) => all).map((flag) => [attributeOf(flag), flag]));
  for (const [attribute, flag] of owners) {
    if (values[attribute] === undefined || own.some((mine) => attributeOf(mine) === attribute)) continue;
    const theirs = SAMPLERS.filter((other) => other.flags.some((one) => attributeOf(one) === attribute));
    throw bad(
      `${flagName(flag)} is for ${theirs.map((other) => other.name).join(", ")}; the sampler ${name} takes ${own.map(flagName).join(", ")}`,
    );
  }
  const settings: Record<string, unknown> = {};
  for (const flag of own) {
    const text = values[attributeOf(flag)];
    if (text === undefined) continue;
    const [group, setting] = flag.setting.split(".") as [string, string?];
    if ("is" in flag.value) {
      // --clip and --no-clip are one attribute.
      settings[group] = text;
      continue;
    }
    const value = parsed(flag, String(text));
    settings[group] = setting === undefined ? value : { ...(settings[group] as Settings), [setting]: value };
  }
  return settings;
}

function parsed(flag: SettingFlag, text: string): unknown {
  const name = flagName(flag);
  const { value } = flag;
  if ("number" in value) return parseNumber(text, name, value.number);
  if ("integer" in value) return parseInteger(text, name, value.integer);
  if ("list" in value) return parseTs(text);
  if ("choice" in value) {
    const words = Object.keys(value.choice);
    if (!words.includes(text)) throw bad(`${name} ${quote(text)}: must be ${words.join(" or ")}`);
    return value.choice[text];
  }
  if ("numbers" in value) {
    const parts = text.split(",");
    if (parts.length !== value.numbers.length)
      throw bad(`${name} ${quote(text)}: must be ${value.numbers.length} numbers, ${value.numbers.join(", ")}`);
    return Object.fromEntries(parts.map((part, i) => [value.numbers[i]!, parseNumber(part, name, { above: 0 })]));
  }
  throw new Error(`no option of restore reads ${JSON.stringify(value)}`);
}

/** A library's sentence about a setting in the words of the command line: "mcmc.step" is "--step". */
export function inFlags(message: string, name: PosteriorSamplerName): string {
  return posteriorSamplers[name].flags
    .filter(({ setting }) => /[.A-Z]/.test(setting))
    .sort((a, b) => b.setting.length - a.setting.length)
    .reduce(
      (text, flag) => text.replaceAll(new RegExp(`(?<![\\w.-])${flag.setting}\\b`, "g"), flagName(flag)),
      message,
    );
}
