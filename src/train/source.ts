import { type CheckpointInput, type FetchOptions, openCheckpoint } from "../checkpoint/index.js";
import { bad } from "../errors.js";
import type { NcvsdConfig, NetworkConfig } from "../networks/edm2/arguments.js";
import { parseConfig } from "../networks/edm2/config.js";
import { expectedTensors, validateTensors } from "../networks/edm2/names.js";
import { networkFile, teacherFile } from "../networks/edm2/published.js";

/** A network's tensors by state-dict name, or where they are. */
export type NetworkInput = CheckpointInput | ReadonlyMap<string, Float32Array>;

/** Constructor arguments by the reference's names; what is left out has the reference's default, or that of the network given. */
export type ConfigInput = Partial<NcvsdConfig> & { readonly dropout?: number };

export interface NetworkTensors {
  readonly config: NetworkConfig;
  /** Probability of dropout in training. */
  readonly dropout: number;
  /** Class names, where the file has them. */
  readonly labels: readonly string[] | undefined;
  /** Extents by name, in the network's order. */
  readonly shapes: ReadonlyMap<string, readonly number[]>;
  /** undefined: the network is new. */
  readonly tensors: ReadonlyMap<string, Float32Array> | undefined;
}

/**
 * Reads the whole EDM2 network, or what it is to be.
 * @throws NcvsdError BAD_ARGUMENT for a network of NCVSD: it is distilled from one of EDM2, and has no training of its own
 */
export async function networkTensors(
  what: string,
  network: NetworkInput | undefined,
  changes: ConfigInput | undefined,
  fetching: FetchOptions = {},
): Promise<NetworkTensors> {
  if (network === undefined || network instanceof Map) {
    if (changes === undefined) throw bad(`${what}: give its config, or a file whose metadata have one.`);
    const metadata = { architecture: "edm2", config: JSON.stringify(changes) };
    const { architecture, config } = parseConfig({ name: `${what} config`, metadata, tensors: new Map() });
    const shapes = expectedTensors(architecture, config);
    const dropout = dropoutOf(what, changes.dropout);
    const tensors = network && checkTensors(what, network as ReadonlyMap<string, Float32Array>, shapes);
    return { config, dropout, labels: undefined, shapes, tensors };
  }
  const checkpoint = await openCheckpoint(teacherFile(network as CheckpointInput), fetching);
  try {
    const own = ownArguments(checkpoint.metadata.config);
    const config = JSON.stringify({ ...own, ...changes });
    const given = own || changes ? { ...checkpoint.metadata, config } : checkpoint.metadata;
    const parsed = parseConfig({ name: checkpoint.name, tensors: checkpoint.tensors, metadata: given });
    if (parsed.architecture !== "edm2")
      throw bad(
        `${what}: ${checkpoint.name} is a network of NCVSD, but one of EDM2 is needed: a snapshot of a teacher's training, "bundled", or a published one by its name.`,
      );
    validateTensors(checkpoint, parsed.architecture, parsed.config);
    const shapes = expectedTensors(parsed.architecture, parsed.config);
    const tensors = new Map<string, Float32Array>();
    for (const name of shapes.keys()) tensors.set(name, await checkpoint.readF32(name));
    const dropout = dropoutOf(what, changes?.dropout ?? (own as ConfigInput | undefined)?.dropout);
    return {
      config: parsed.config,
      dropout,
      labels: parsed.labels,
      shapes,
      tensors,
    };
  } finally {
    await checkpoint.close();
  }
}

/** Those tensors of a network, perhaps of another kind, that a layout has. */
export async function tensorsAmong(
  network: NetworkInput,
  { entries }: { readonly entries: readonly { readonly name: string }[] },
): Promise<ReadonlyMap<string, Float32Array>> {
  if (network instanceof Map) return network;
  const checkpoint = await openCheckpoint(networkFile(network as CheckpointInput));
  try {
    const tensors = new Map<string, Float32Array>();
    for (const { name } of entries) if (checkpoint.tensors.has(name)) tensors.set(name, await checkpoint.readF32(name));
    return tensors;
  } finally {
    await checkpoint.close();
  }
}

/** The arguments in a file's metadata; what is wrong with them is said where they are parsed. */
function ownArguments(text: string | undefined): object | undefined {
  try {
    return text === undefined ? undefined : JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** A probability, checked. */
export function dropoutOf(what: string, dropout = 0): number {
  if (!(typeof dropout === "number" && dropout >= 0 && dropout < 1))
    throw bad(`${what}: dropout must be a number from 0 to less than 1, got ${dropout}.`);
  return dropout;
}

/** Every tensor of the network is there and has its length. */
function checkTensors(
  what: string,
  tensors: ReadonlyMap<string, Float32Array>,
  shapes: ReadonlyMap<string, readonly number[]>,
): ReadonlyMap<string, Float32Array> {
  for (const [name, shape] of shapes) {
    const values = tensors.get(name);
    const length = shape.reduce((a, b) => a * b, 1);
    if (!(values instanceof Float32Array) || values.length !== length)
      throw bad(
        `${what}: the tensor ${name} [${shape}] must be a Float32Array of ${length} values${values ? `, got ${values.length}` : ", and is missing"}.`,
      );
  }
  return tensors;
}
