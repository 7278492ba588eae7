import type { Checkpoint } from "../../checkpoint/index.js";
import { NcvsdError } from "../../errors.js";

/** Constructor arguments of a `disco-mlp` network, as the metadata of its weight file hold them. */
export interface DiscoConfig {
  /** Coordinates of a point. */
  readonly dim: number;
  /** Hidden units, K: even. */
  readonly width: number;
  /** Takes a label, the index of a noise level, with every point. */
  readonly conditional: boolean;
  /** phi = |z|^2 is the negative energy and its gradient the output; false: z itself is. */
  readonly energy: boolean;
  readonly blocks: number;
  /** Sine and cosine features of a coordinate, at least 4. */
  readonly embed: number;
  /** Of the leaky ReLU. */
  readonly negative_slope: number;
  /** Added to the variance of the normalisations. */
  readonly norm_eps: number;
  /** Smallest noise level: the data's smoothing sigma(0). */
  readonly sigma_min: number;
  /** Largest noise level: that of label 0. */
  readonly sigma_max: number;
  /** Noise levels, geometrically spaced. */
  readonly levels: number;
  /** What the data were before training: coordinate d of the network is (value - mean[d]) / std[d]. Absent: the value itself. */
  readonly mean?: readonly number[];
  readonly std?: readonly number[];
  /** Names of the coordinates. */
  readonly columns?: readonly string[];
  /** Walls of the region that was trained on, of the network's coordinates: the data's range and 3 sigma_min to each side. */
  readonly box_low?: readonly number[];
  readonly box_high?: readonly number[];
}

/** Extents of every parameter by name, in the order of a weight file. */
export function discoTensors({ dim, width, blocks, embed }: DiscoConfig): Map<string, readonly number[]> {
  const shapes = new Map<string, readonly number[]>();
  const layer = (name: string, outputs: number, inputs: number) => {
    shapes.set(`${name}.weight`, [outputs, inputs]).set(`${name}.bias`, [outputs]);
  };
  const norm = (name: string) => {
    for (const part of ["alpha", "gamma", "beta"]) shapes.set(`${name}.${part}`, [width]);
  };
  layer("in", width / 2, dim * embed);
  for (let block = 0; block < blocks; block++) {
    for (const half of [0, 1]) {
      norm(`blocks.${block}.norm${half}`);
      layer(`blocks.${block}.fc${half}`, width, width);
    }
  }
  norm("out_norm");
  layer("out", dim, width);
  return shapes;
}

/** Features of a coordinate where nobody says how many: K div 2D up to two dimensions, K div D beyond. */
const defaultEmbed = (dim: number, width: number) => Math.floor(width / (dim <= 2 ? 2 * dim : dim));

/** The largest noise level where nobody says. */
const defaultSigmaMax = (dim: number) => (dim <= 10 ? 2 : 5);

type Rule = readonly [must: string, test: (value: unknown) => boolean];
const integer = (min: number, max: number): Rule => [
  `an integer from ${min} to ${max}`,
  (v) => Number.isSafeInteger(v) && (v as number) >= min && (v as number) <= max,
];
const number: Rule = ["a number", (v) => typeof v === "number" && Number.isFinite(v)];
const positive: Rule = ["a positive number", (v) => number[1](v) && (v as number) > 0];
const optional = ([must, test]: Rule): Rule => [
  `a list of which each entry is ${must}`,
  (v) => v === undefined || (Array.isArray(v) && v.every(test)),
];
const boolean: Rule = ["true or false", (v) => typeof v === "boolean"];

/** The upper bounds are far beyond any use; they keep a damaged file from asking for endless memory. */
const RULES: Readonly<Record<keyof Required<DiscoConfig>, Rule>> = {
  dim: integer(1, 4096),
  width: integer(8, 65536),
  conditional: boolean,
  energy: boolean,
  blocks: integer(1, 256),
  embed: integer(4, 65536),
  negative_slope: number,
  norm_eps: positive,
  sigma_min: positive,
  sigma_max: positive,
  levels: integer(2, 2 ** 20),
  mean: optional(number),
  std: optional(positive),
  columns: optional(["a text", (v) => typeof v === "string"]),
  box_low: optional(number),
  box_high: optional(number),
};

/** What a config says of the data: a value for every coordinate. */
const OF_DATA = ["mean", "std", "columns", "box_low", "box_high"] as const;

/**
 * A config with its defaults: dim and width have none.
 * @param fail makes the error of what is wrong
 * @throws what `fail` makes, for an argument that is missing or out of its range
 */
export function completeConfig(given: Partial<DiscoConfig>, fail: (what: string) => NcvsdError): DiscoConfig {
  const { dim = Number.NaN, width = Number.NaN } = given;
  const config: DiscoConfig = {
    dim,
    width,
    conditional: given.conditional ?? false,
    energy: given.energy ?? true,
    blocks: given.blocks ?? 4,
    embed: given.embed ?? defaultEmbed(dim, width),
    negative_slope: given.negative_slope ?? 0.2,
    norm_eps: given.norm_eps ?? 1e-5,
    sigma_min: given.sigma_min ?? 0.1,
    sigma_max: given.sigma_max ?? defaultSigmaMax(dim),
    levels: given.levels ?? 100,
    ...Object.fromEntries(OF_DATA.flatMap((name) => (given[name] === undefined ? [] : [[name, given[name]]]))),
  };
  for (const [name, [must, test]] of Object.entries(RULES) as [keyof DiscoConfig, Rule][]) {
    if (test(config[name])) continue;
    const embed = name === "embed" && given.embed === undefined;
    throw fail(embed ? tooNarrow(config) : `${name} must be ${must}, got ${JSON.stringify(given[name]) ?? "nothing"}`);
  }
  for (const name of OF_DATA)
    if (config[name] && config[name].length !== config.dim)
      throw fail(`${name} must have an entry for each of ${config.dim} coordinates, got ${config[name].length}`);
  if (config.width % 2 !== 0) throw fail(`width must be even, got ${config.width}`);
  if (config.sigma_max <= config.sigma_min)
    throw fail(`sigma_max (${config.sigma_max}) must be larger than sigma_min (${config.sigma_min})`);
  return config;
}

const tooNarrow = ({ dim, width, embed }: DiscoConfig) =>
  `width ${width} leaves ${embed} features to each of ${dim} coordinates, and at least 4 are needed: take a larger width`;

/** Tensors in memory, or those of a file, by name: how many values each has. */
type Lengths = ReadonlyMap<string, number>;

/** What the lengths of the tensors determine. */
function inferConfig(lengths: Lengths, fail: (what: string) => NcvsdError): Partial<DiscoConfig> {
  const of = (name: string) => {
    const length = lengths.get(name);
    if (length === undefined) throw fail(`the tensor ${name} is missing: these are no weights of a disco-mlp network`);
    return length;
  };
  const [dim, width] = [of("out.bias"), of("out_norm.alpha")];
  let blocks = 0;
  while (lengths.has(`blocks.${blocks}.fc0.weight`)) blocks++;
  return { dim, width, blocks, embed: of("in.weight") / (width / 2) / dim };
}

/**
 * The config of tensors given in memory: what their lengths say, with DISCO's `energy` and `conditional` unless given.
 * @throws BAD_ARGUMENT naming what is missing or has the wrong length
 */
export function configOfTensors(
  what: string,
  tensors: ReadonlyMap<string, Float32Array>,
  given: Partial<DiscoConfig> = {},
): DiscoConfig {
  const fail = (message: string) => new NcvsdError("BAD_ARGUMENT", `${what}: ${message}.`);
  const lengths = new Map([...tensors].map(([name, values]) => [name, values.length]));
  const config = completeConfig({ ...inferConfig(lengths, fail), ...given }, fail);
  for (const [name, shape] of discoTensors(config)) {
    const values = tensors.get(name);
    const length = shape.reduce((a, b) => a * b, 1);
    if (!(values instanceof Float32Array) || values.length !== length)
      throw fail(`the tensor ${name} must be a Float32Array of ${length} values, [${shape}]${got(values)}`);
    if (!values.every(Number.isFinite)) throw fail(`the tensor ${name} has values that are not finite`);
  }
  return config;
}

const got = (values: Float32Array | undefined) =>
  values === undefined ? ", and is missing" : `, got ${values.length ?? typeof values}`;

/**
 * The config of a weight file: its metadata, and what the tensors determine.
 * @throws BAD_CHECKPOINT for another architecture, an argument that is wrong, tensors that are missing or misshapen
 */
export function configOfCheckpoint({ name: file, metadata, tensors }: Checkpoint): DiscoConfig {
  const fail = (message: string) => new NcvsdError("BAD_CHECKPOINT", `'${file}': ${message}.`);
  const { architecture, config: text } = metadata;
  if (architecture !== undefined && architecture !== "disco-mlp")
    throw fail(`it is a network of the architecture "${architecture}", where "disco-mlp" is needed`);
  const lengths = new Map([...tensors].map(([name, { shape }]) => [name, shape.reduce((a, b) => a * b, 1)]));
  const config = completeConfig({ ...inferConfig(lengths, fail), ...parsed(text, fail) }, fail);
  for (const [name, shape] of discoTensors(config)) {
    const found = tensors.get(name)?.shape;
    if (found?.join() !== shape.join())
      throw fail(
        `the tensor ${name} must be [${shape.join(", ")}]${found ? `, is [${found.join(", ")}]` : ", and is missing"}`,
      );
  }
  return config;
}

function parsed(text: string | undefined, fail: (what: string) => NcvsdError): Partial<DiscoConfig> {
  if (text === undefined) return {};
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw fail("its config is no JSON");
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw fail("its config is no JSON object");
  const known = Object.keys(RULES);
  return Object.fromEntries(Object.entries(value).filter(([name]) => known.includes(name)));
}

/** The noise level of a label, an index that need not be whole: 0 is the largest. */
export const sigmaOf = ({ sigma_min, sigma_max, levels }: DiscoConfig, label: number): number =>
  sigma_max * (sigma_min / sigma_max) ** (label / (levels - 1));
