/**
 * The constructor arguments of the reference networks, as a checkpoint's metadata hold them, under the reference's names.
 *
 * Where they come from, in this order: the JSON in the metadata key `config`; for an argument absent there, the reference's
 * default, unless tensor names and shapes say otherwise; for one that has no default, the tensors. Without any `config` nothing
 * is guessed: what the tensors do not determine and what matters for this network is an error that names it, because a wrong
 * channels_per_head or sigma_data gives images that are quietly wrong. An empty config, `{}`, is consent to the defaults.
 */
import { type Checkpoint, networkPrefixes } from "../../checkpoint/index.js";
import { NcvsdError } from "../../errors.js";
import type { Architecture, NcvsdConfig, NetworkConfig } from "./arguments.js";
import {
  channelArguments,
  type FoundArguments,
  inferArchitecture,
  inferArguments,
  MAX_BLOCKS,
  MAX_LEVELS,
} from "./infer.js";
import { blockPlan, countMismatches, expectedTensors } from "./names.js";

/** What `parseConfig` found. */
export type ParsedConfig = (
  | { architecture: "edm2"; config: NetworkConfig }
  | { architecture: "ncvsd"; config: NcvsdConfig }
) & {
  /** Class names, label_dim of them. */
  labels?: readonly string[];
  /** Values of the darkest and the brightest pixel. */
  valueRange?: readonly [number, number];
  /** Arguments that were read off the tensors because the config does not have them. */
  inferred: readonly (keyof NcvsdConfig)[];
};

/** The reference's defaults. The four arguments that are missing here have none. */
export const DEFAULTS = {
  channel_mult: [1, 2, 3, 4],
  channel_mult_noise: null,
  channel_mult_emb: null,
  num_blocks: 3,
  attn_resolutions: [16, 8],
  label_balance: 0.5,
  concat_balance: 0.5,
  resample_filter: [1, 1],
  channels_per_head: 64,
  res_balance: 0.3,
  attn_balance: 0.3,
  clip_act: 256,
  sigma_data: 0.5,
  logvar_channels: 128,
  gamma: 0.414,
  init_sigma: 80,
} as const satisfies Partial<NcvsdConfig>;

/** Arguments that only matter in training, or how the reference computes; they are in real files and change nothing here. */
const IGNORED: readonly string[] = ["dropout", "use_fp16", "gradient_checkpoint", "class_name"];

/** What a value has to be, as it is said in the error; and the test of it. */
type Rule = readonly [must: string, test: (value: unknown) => boolean];

const finite = (v: unknown): v is number => typeof v === "number" && Number.isFinite(v);
const integer = (v: unknown, min: number, max: number) =>
  Number.isSafeInteger(v) && (v as number) >= min && (v as number) <= max;
const int = (min: number, max: number): Rule => [`an integer from ${min} to ${max}`, (v) => integer(v, min, max)];
const list = (of: Rule, most: number): Rule => [
  `a list of 1 to ${most} entries, each ${of[0]}`,
  (v) => Array.isArray(v) && v.length >= 1 && v.length <= most && v.every(of[1]),
];
const orEmpty = (rule: Rule): Rule => [`${rule[0]}, or []`, (v) => (Array.isArray(v) && v.length === 0) || rule[1](v)];
const orNull = (rule: Rule): Rule => [`${rule[0]}, or null`, (v) => v === null || rule[1](v)];
const BALANCE: Rule = ["a number from 0 to 1", (v) => finite(v) && v >= 0 && v <= 1];
const POSITIVE: Rule = ["a positive number", (v) => finite(v) && v > 0];
const FILTER: Rule = [
  "a symmetric list of 2, 4, ... 64 numbers whose sum is positive",
  (v) =>
    Array.isArray(v) &&
    v.length >= 2 &&
    v.length <= 64 &&
    v.length % 2 === 0 &&
    v.every((tap, i) => finite(tap) && tap === v[v.length - 1 - i]) &&
    v.reduce((sum, tap) => sum + tap, 0) > 0,
];

/** The upper bounds are far beyond any published network; they keep a damaged config from asking for endless tensor lists. */
const RULES: Readonly<Record<keyof NcvsdConfig, Rule>> = {
  img_resolution: int(1, 65536),
  img_channels: int(1, 65536),
  label_dim: int(0, 2 ** 24),
  model_channels: int(1, 65536),
  channel_mult: list(int(1, 65536), MAX_LEVELS),
  channel_mult_noise: orNull(int(1, 65536)),
  channel_mult_emb: orNull(int(1, 65536)),
  num_blocks: int(0, MAX_BLOCKS),
  attn_resolutions: orEmpty(list(int(1, 65536), 64)),
  label_balance: BALANCE,
  concat_balance: BALANCE,
  resample_filter: FILTER,
  channels_per_head: int(1, 2 ** 31),
  res_balance: BALANCE,
  attn_balance: BALANCE,
  clip_act: orNull(POSITIVE),
  sigma_data: POSITIVE,
  logvar_channels: int(1, 65536),
  gamma: ["a number from 0", (v) => finite(v) && v >= 0],
  init_sigma: POSITIVE,
};

type Arguments = { -readonly [K in keyof NcvsdConfig]?: NcvsdConfig[K] };
type Name = keyof NcvsdConfig;
type Readable = Pick<Checkpoint, "name" | "metadata" | "tensors">;
type Fail = (what: string) => NcvsdError;

/**
 * Architecture and arguments of the network in `checkpoint`, from its metadata and its tensors. Whether the tensors are all
 * there is another question: ask `validateTensors` next.
 * @throws NcvsdError BAD_CHECKPOINT naming the argument that is wrong, unknown or missing.
 */
export function parseConfig(checkpoint: Readable): ParsedConfig {
  const fail: Fail = (what) => new NcvsdError("BAD_CHECKPOINT", `'${checkpoint.name}': ${what}`);
  const architecture = architectureOf(checkpoint, fail);
  const names = (Object.keys(RULES) as Name[]).filter(
    (name) => architecture === "ncvsd" || (name !== "gamma" && name !== "init_sigma"),
  );
  const text = checkpoint.metadata.config;
  const given = text === undefined ? {} : readArguments(text, architecture, names, fail);
  const found = inferArguments(checkpoint.tensors, architecture);
  const shaped = argumentsFrom(found, given);

  let config: Arguments;
  let inferred: readonly Name[];
  if (text === undefined) {
    requireDetermined(names, shaped, found, fail);
    config = { ...DEFAULTS, ...shaped };
    inferred = names.filter((name) => name in shaped);
  } else {
    const byDefault: Arguments = { ...DEFAULTS, ...withoutDefault(shaped, found, given), ...given };
    const byShape: Arguments = { ...DEFAULTS, ...shaped, ...given };
    const mismatches = (c: Arguments): number =>
      names.every((name) => c[name] !== undefined) && problemWith(c as NcvsdConfig) === undefined
        ? countMismatches(checkpoint, expectedTensors(architecture, c as NcvsdConfig))
        : Number.POSITIVE_INFINITY;
    // The reference's defaults, unless the tensors fit better without them.
    const useShapes = mismatches(byShape) < mismatches(byDefault);
    config = useShapes ? byShape : byDefault;
    inferred = names.filter(
      (name) => given[name] === undefined && name in shaped && (useShapes || !(name in DEFAULTS)),
    );
  }

  const missing = names.filter((name) => config[name] === undefined);
  if (missing.length > 0) {
    throw fail(
      `its config lacks ${missing.join(", ")}, and its tensors do not determine ${missing.length > 1 ? "them" : "it"}`,
    );
  }
  for (const name of names) {
    const [must, test] = RULES[name];
    if (!test(config[name])) throw fail(`its tensors make ${name} ${show(config[name])}, but it has to be ${must}`);
  }
  const complete = Object.fromEntries(names.map((name) => [name, config[name]])) as unknown as NcvsdConfig;
  const problem = problemWith(complete);
  if (problem !== undefined) throw fail(problem);
  const labels = readLabels(checkpoint.metadata.labels, complete.label_dim, fail);
  const valueRange = readValueRange(checkpoint.metadata.value_range, fail);
  return { architecture, config: complete, inferred, ...(labels && { labels }), ...(valueRange && { valueRange }) };
}

function architectureOf({ metadata, tensors }: Readable, fail: Fail): Architecture {
  const says = metadata.architecture;
  const looks = inferArchitecture(tensors);
  const is = says ?? looks;
  if (is === "ncvsd-discriminator") {
    throw fail("it is an NCVSD discriminator, which only training needs: give the generator's checkpoint");
  }
  const prefixes = looks === undefined ? networkPrefixes(tensors.keys()).map(({ prefix }) => show(prefix)) : [];
  if (prefixes.length > 0) {
    throw fail(
      prefixes.length === 1
        ? `the tensors of its network begin with ${prefixes[0]}, and others do not: save the network by itself`
        : `it holds ${prefixes.length} networks, whose tensors begin with ${prefixes.slice(0, 6).join(", ")}: save the one that is wanted by itself`,
    );
  }
  if (is === undefined) {
    throw fail(
      "its metadata have no architecture, and its tensor names are those of neither edm2 (unet.…) nor ncvsd (ctrl.…, enc.…, dec.…)",
    );
  }
  if (is === "disco-unet")
    throw fail(
      "it is a model of images without noise levels: load it by loadDiscoImages(), or sample it by `disco sample`",
    );
  if (is !== "edm2" && is !== "ncvsd") throw fail(`architecture ${show(is)} is not one of "edm2", "ncvsd"`);
  if (looks !== undefined && looks !== is)
    throw fail(`its metadata say architecture ${show(is)}, but its tensors are those of "${looks}"`);
  return is;
}

/** The arguments in the metadata key `config`, each checked by itself. */
function readArguments(text: string, architecture: Architecture, names: readonly Name[], fail: Fail): Arguments {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw fail(`its config is not valid JSON (${(cause as Error).message})`);
  }
  if (typeof json !== "object" || json === null || Array.isArray(json)) throw fail("its config is not a JSON object");
  const given: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(json)) {
    if (IGNORED.includes(key)) continue;
    const name = names.find((candidate) => candidate === key);
    if (name === undefined) {
      throw fail(
        `its config has the argument ${show(key)}, which ${architecture} does not have; it has ${names.join(", ")}`,
      );
    }
    const [must, test] = RULES[name];
    if (!test(value)) throw fail(`${name} in its config is ${show(value)}, but it has to be ${must}`);
    given[name] = value;
  }
  return given;
}

/** Everything that the tensors determine, in the reference's arguments and in agreement with `given` where there is a choice. */
function argumentsFrom(found: FoundArguments, given: Arguments): Arguments {
  const { levelChannels: _levels, noiseChannels: _noise, embChannels: _emb, attends: _attends, ...plain } = found;
  return { ...plain, ...channelArguments(found, given) };
}

/** Of these, the arguments without a default. The default channel_mult starts with 1: model_channels are those of level 0. */
function withoutDefault(shaped: Arguments, found: FoundArguments, given: Arguments): Arguments {
  const model_channels = given.channel_mult === undefined ? found.levelChannels?.[0] : shaped.model_channels;
  const entries = Object.entries({ ...shaped, model_channels });
  return Object.fromEntries(entries.filter(([name, value]) => !(name in DEFAULTS) && value !== undefined));
}

/** Without a config: refuses if an argument that matters for this network is not determined. */
function requireDetermined(names: readonly Name[], shaped: Arguments, found: FoundArguments, fail: Fail): void {
  // channels_per_head is not among them: without attention, any large value will do and `shaped` has one.
  const idle: Partial<Record<Name, boolean>> = {
    label_balance: shaped.label_dim === 0,
    attn_balance: found.attends === false,
    resample_filter: shaped.channel_mult?.length === 1,
  };
  const missing = names.filter((name) => shaped[name] === undefined && !idle[name]);
  if (missing.length === 0) return;
  const one = missing.length === 1;
  throw fail(
    `it has no config, and its tensors do not determine the argument${one ? "" : "s"} ${missing.join(", ")}; put ${one ? "it" : "them"} as JSON into the metadata key "config" ({}: the defaults)`,
  );
}

/** What is wrong with arguments that are right one by one. */
function problemWith(config: NetworkConfig): string | undefined {
  const { img_resolution, channel_mult } = config;
  const divisor = 2 ** (channel_mult.length - 1);
  if (img_resolution % divisor !== 0) {
    return `img_resolution ${img_resolution} cannot be halved ${channel_mult.length - 1} times, as the ${channel_mult.length} levels of channel_mult need`;
  }
  try {
    blockPlan(config);
  } catch (error) {
    if (error instanceof NcvsdError) return error.message;
    throw error;
  }
  return undefined;
}

function readLabels(text: string | undefined, labelDim: number, fail: Fail): string[] | undefined {
  // A network without classes has no use for names of them.
  if (text === undefined || labelDim === 0) return undefined;
  const list = parseOr(text);
  if (list === null) return undefined;
  // The names of digits are numbers.
  if (!Array.isArray(list) || !list.every((label) => typeof label === "string" || finite(label))) {
    throw fail("labels in its metadata is not a JSON list of strings");
  }
  const labels = list.map(String);
  if (labels.length !== labelDim) throw fail(`its metadata list ${labels.length} labels, but label_dim is ${labelDim}`);
  return labels;
}

function readValueRange(text: string | undefined, fail: Fail): [number, number] | undefined {
  if (text === undefined) return undefined;
  const dots = /^\s*(-?[\d.]+)\s*\.\.\s*(-?[\d.]+)\s*$/.exec(text);
  const range = dots ? [Number(dots[1]), Number(dots[2])] : parseOr(text);
  if (range === null) return undefined;
  const [low, high] = Array.isArray(range) && range.length === 2 ? range : [];
  if (!finite(low) || !finite(high) || low >= high) {
    throw fail(`value_range ${show(text)} in its metadata is not a pair [low, high]`);
  }
  return [low, high];
}

function parseOr(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** A value from the file, short enough for a message. */
function show(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 80 ? `${text.slice(0, 80)}…` : text;
}

/** The checkpoint as if its config said `changes`, so that they pass the same checks. */
export function withArguments(
  checkpoint: Checkpoint,
  changes: object | undefined,
): Pick<Checkpoint, "name" | "metadata" | "tensors"> {
  if (!changes || Object.keys(changes).length === 0) return checkpoint;
  const { name, metadata, tensors } = checkpoint;
  let own: object;
  try {
    own = JSON.parse(metadata.config ?? "{}");
  } catch {
    // What is wrong with it is said by the checks.
    return checkpoint;
  }
  const config = JSON.stringify({ ...own, ...changes });
  return { name, tensors, metadata: { ...metadata, config } };
}
