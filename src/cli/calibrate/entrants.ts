import type { Entrant } from "../../calibrate/calibrate.js";
import { bad, didYouMean, orAll, quote } from "../../errors.js";
import type { RestoreTask } from "../../operators/tasks.js";
import type { ExactModel } from "../../priors/exact-model.js";
import { isPosteriorSampler, posteriorSamplers } from "../../sample/posterior/samplers.js";
import type { Settings } from "../../sample/samplers.js";
import { SETTINGS_OF, type SettingsOf, samplerSettings } from "../../sample/task-settings.js";

export const SAMPLERS_HELP =
  "samplers, each with settings behind colons: pnp-gd,pnp-gd:rho=7:steps=200,diffpir:zeta=0.3; the words paper, reference and calibrated are the task's settings";

/** A sampler as the command line names it. */
interface Asked {
  readonly label: string;
  readonly sampler: Entrant["sampler"];
  /** Whose settings of the task; undefined: the sampler's own defaults. */
  readonly of: SettingsOf | undefined;
  readonly given: Settings;
}

/** `--sampler`: names, settings, and words that stand for several. @throws BAD_ARGUMENT */
export function parseEntrants(text: string): Asked[] {
  const labels = new Set<string>();
  return text.split(",").map((item) => {
    const [name = "", ...parts] = item.trim().split(":");
    if (!isPosteriorSampler(name))
      throw bad(`--sampler ${quote(name)} is not known: ${orAll(name, Object.keys(posteriorSamplers))}`);
    const label = [name, ...parts].join(" ");
    if (labels.has(label)) throw bad(`--sampler names ${label} twice: leave one out`);
    labels.add(label);
    const words = parts.filter((part) => !part.includes("="));
    const of = SETTINGS_OF.find((word) => word === words[0]);
    if (words.length > 1 || (words.length === 1 && !of))
      throw bad(`--sampler ${label}: after colons come settings as name=value, or one of ${SETTINGS_OF.join(", ")}`);
    const given: Record<string, unknown> = {};
    for (const [key, value] of parts.filter((part) => part.includes("=")).map(parseSetting)) {
      const own = Object.keys(posteriorSamplers[name].settings);
      if (!own.includes(key.split(".")[0]!))
        throw bad(
          `--sampler: ${name} has no setting ${quote(key)}: ${didYouMean(key, own) ?? `it has ${own.join(", ")}`}`,
        );
      place(given, key.split("."), value);
    }
    return { label, sampler: name, of, given };
  });
}

/** With the settings that the words stand for at a task and a noise. */
export function entrantsFor(asked: readonly Asked[], model: ExactModel, task: RestoreTask, sigmaY: number): Entrant[] {
  return asked.map(({ label, sampler, of, given }) => {
    if (of === undefined) return { label, sampler, settings: given };
    const settingsOf = (more: Settings) =>
      samplerSettings(task, model, sampler, { given: { ...given, ...more }, of, sigmaY }).settings;
    return { label, sampler, settings: settingsOf({}), atSteps: (steps: number) => settingsOf({ steps }) };
  });
}

function parseSetting(word: string): [key: string, value: unknown] {
  const at = word.indexOf("=");
  const [key, text] = [word.slice(0, at), word.slice(at + 1)];
  if (key === "" || text === "")
    throw bad(`--sampler ${quote(word)}: a setting is a name, = and a value, such as rho=7`);
  if (text === "true" || text === "false") return [key, text === "true"];
  if (text === "inf") return [key, Number.POSITIVE_INFINITY];
  return [key, Number.isNaN(Number(text)) ? text : Number(text)];
}

/** `mcmc.steps` is a member of the group `mcmc`. */
function place(settings: Record<string, unknown>, [key, ...rest]: string[], value: unknown): void {
  if (rest.length === 0) {
    settings[key!] = value;
    return;
  }
  const group = (settings[key!] ?? {}) as Record<string, unknown>;
  settings[key!] = group;
  place(group, rest, value);
}
