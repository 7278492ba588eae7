import { openCheckpoint, writeSafetensors } from "../checkpoint/index.js";
import { bad, NcvsdError } from "../errors.js";
import { node } from "../node/modules.js";
import { isGeneration, StateFolder } from "./state-folder.js";

/** What is stored of a bank: every tensor by state-dict name, in f32. */
interface StoredBank {
  download(): Promise<Map<string, Float32Array>>;
  upload(tensors: ReadonlyMap<string, Float32Array>): void;
}

/** What is stored of a network in training: an `Optimiser`. */
export interface StoredNetwork {
  readonly layout: { readonly entries: readonly { readonly name: string; readonly shape: readonly number[] }[] };
  readonly parameters: StoredBank;
  readonly m: StoredBank;
  readonly v: StoredBank;
  readonly averages: readonly { readonly std: number; readonly bank: StoredBank }[];
  /** Updates so far. */
  updates: number;
}

/** Values that JSON keeps as they are. */
export type Setting = string | number | boolean | null | readonly Setting[] | { readonly [name: string]: Setting };
export type Settings = Readonly<Record<string, Setting>>;

export interface StateToSave {
  /** "teacher" or "distillation": what can go on with it. */
  readonly kind: string;
  readonly networks: Readonly<Record<string, StoredNetwork>>;
  readonly counters: { readonly images: number; readonly [name: string]: number };
  /** Everything that the bits of the run depend on, defaults filled in. */
  readonly settings: Settings;
}

/** A state that was found in a folder. */
export interface SavedState {
  readonly counters: { readonly images: number; readonly [name: string]: number };
  readonly settings: Settings;
  /** @throws BAD_ARGUMENT naming the first setting that differs */
  checkSettings(now: Settings): void;
  /** Gives the networks their values. @throws BAD_CHECKPOINT naming the file that is damaged */
  restore(networks: Readonly<Record<string, StoredNetwork>>): Promise<void>;
}

interface Head {
  readonly tool: string;
  readonly what: string;
  readonly version: number;
  readonly kind: string;
  readonly folder: string;
  readonly counters: { readonly images: number; readonly [name: string]: number };
  /** Updates by network. */
  readonly updates: Readonly<Record<string, number>>;
  readonly settings: Settings;
  /** SHA-256 by file. */
  readonly files: Readonly<Record<string, string>>;
}

const WHAT = "training state";
const VERSION = 1;

/** The banks of some networks, each with its file's name. */
function* banksOf(networks: Readonly<Record<string, StoredNetwork>>) {
  for (const [name, network] of Object.entries(networks)) {
    yield { file: `${name}.weights.safetensors`, network, bank: network.parameters };
    yield { file: `${name}.moment1.safetensors`, network, bank: network.m };
    yield { file: `${name}.moment2.safetensors`, network, bank: network.v };
    for (const { std, bank } of network.averages) yield { file: `${name}.average-${std}.safetensors`, network, bank };
  }
}

/**
 * Writes the state of a training: weights, moments and averages each in a file of its own (safetensors, F32), and state.json,
 * which makes them count, last. A process killed at any moment leaves the state before or this one.
 * @throws BAD_ARGUMENT when it cannot be written; what was there is kept
 */
export async function saveState(dir: string, { kind, networks, counters, settings }: StateToSave): Promise<void> {
  const { createHash } = await node.crypto();
  const folder = await StateFolder.at(dir);
  const before = folder.head();
  const generation = folder.begin(counters.images, before === undefined ? undefined : folderIn(before));
  const files: Record<string, string> = {};
  try {
    for (const { file, network, bank } of banksOf(networks)) {
      const values = await bank.download();
      const tensors = network.layout.entries.map(({ name, shape }) => {
        return { name, dtype: "F32", shape, data: values.get(name)! };
      });
      const bytes = writeSafetensors(tensors, { format: "pt", tool: "ncvsd-gpu" });
      files[file] = createHash("sha256").update(bytes).digest("hex");
      generation.write(file, bytes);
    }
    const updates = Object.fromEntries(Object.entries(networks).map(([name, network]) => [name, network.updates]));
    const head: Head = {
      ...{ tool: "ncvsd-gpu", what: WHAT, version: VERSION, kind, folder: generation.name },
      ...{ counters, updates, settings, files },
    };
    generation.finish(`${JSON.stringify(head, null, 1)}\n`);
  } catch (error) {
    generation.discard();
    throw error;
  }
}

/**
 * Removes what a process left that was killed before or after its state.json came: for whoever alone may write there. The next save
 * does it, too, but after the end of a run there is none.
 */
export async function sweepState(dir: string): Promise<void> {
  const folder = await StateFolder.at(dir);
  const head = folder.head();
  const current = head === undefined ? undefined : folderIn(head);
  // Of a damaged state.json nobody knows what it named.
  if (head === undefined || current !== undefined) folder.sweep(current);
}

/** The generation that a state.json names, if it can be read. */
function folderIn(text: string): string | undefined {
  try {
    const { folder } = JSON.parse(text);
    return isGeneration(folder) ? folder : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Reads what state a folder holds; undefined: none.
 * @throws BAD_ARGUMENT when it is of another kind of training, BAD_CHECKPOINT when it is damaged
 */
export async function findState(dir: string, kind: string): Promise<SavedState | undefined> {
  const folder = await StateFolder.at(dir);
  const text = folder.head();
  if (text === undefined) return undefined;
  const head = parseHead(dir, text);
  if (head.kind !== kind) throw bad(`${dir} holds the state of a ${head.kind}'s training, not of a ${kind}'s.`);
  return {
    counters: head.counters,
    settings: head.settings,
    checkSettings: (now) => checkSettings(dir, head.settings, now),
    restore: (networks) => restore(folder, head, networks),
  };
}

/** The same, and it has to be there. */
export async function readState(dir: string, kind: string): Promise<SavedState> {
  const found = await findState(dir, kind);
  if (!found) throw bad(`${dir} holds no state of a training: there is no state.json in it.`);
  return found;
}

function parseHead(dir: string, text: string): Head {
  const damaged = (why: string) => new NcvsdError("BAD_CHECKPOINT", `${dir}: its state.json is damaged: ${why}.`);
  let head: Head;
  try {
    head = JSON.parse(text) as Head;
  } catch (cause) {
    throw damaged((cause as Error).message);
  }
  const isRecord = (value: unknown) => typeof value === "object" && value !== null && !Array.isArray(value);
  if (!isRecord(head) || head.what !== WHAT) throw damaged("it is no state of a training");
  if (head.version !== VERSION)
    throw bad(`${dir}: its state is of version ${head.version}, and this ncvsd-gpu reads version ${VERSION}.`);
  for (const name of ["counters", "updates", "settings", "files"] as const)
    if (!isRecord(head[name])) throw damaged(`${name} is missing`);
  const counts = [...Object.values(head.counters), head.counters.images, ...Object.values(head.updates)];
  if (!counts.every((value) => Number.isSafeInteger(value) && value >= 0))
    throw damaged("a counter is no whole number");
  if (!isGeneration(head.folder)) throw damaged("it names no folder");
  return head;
}

/** Settings side by side: nested names are joined by dots. */
function flat(settings: Setting, prefix = ""): Map<string, string> {
  if (typeof settings !== "object" || settings === null || Array.isArray(settings))
    return new Map([[prefix, JSON.stringify(settings)]]);
  return new Map(
    Object.entries(settings).flatMap(([name, value]) => [...flat(value, prefix === "" ? name : `${prefix}.${name}`)]),
  );
}

/** Settings that are left out where they are what they were before there was a choice. */
const ABSENT: Readonly<Record<string, string>> = { precision: '"f32"', "config.dropout": "0" };

function checkSettings(dir: string, then: Settings, now: Settings): void {
  const [before, after] = [flat(then), flat(now)];
  for (const name of new Set([...before.keys(), ...after.keys()])) {
    const [a, b] = [before, after].map((settings) => settings.get(name) ?? ABSENT[name] ?? "null");
    if (a === b) continue;
    if (name === "data")
      throw bad(
        `${dir}: the data set is another than it was trained on: go on with that one, or begin anew in another folder.`,
      );
    throw bad(
      `${dir} was trained with ${name} ${a}, not ${b}: go on with the settings it has, or begin anew in another folder.`,
    );
  }
}

async function restore(folder: StateFolder, head: Head, networks: Readonly<Record<string, StoredNetwork>>) {
  for (const [name, network] of Object.entries(networks)) {
    const updates = head.updates[name];
    if (updates === undefined) throw damagedFile(folder.path, `it has no network ${name}`);
    network.updates = updates;
  }
  for (const { file, network, bank } of banksOf(networks)) {
    const path = folder.file(head.folder, file);
    if (head.files[file] === undefined) throw damagedFile(folder.path, `it has no ${file}`);
    const stored = await openCheckpoint(path);
    try {
      if ((await stored.sha256()) !== head.files[file])
        throw damagedFile(path, "its bytes are others than were written");
      const values = new Map<string, Float32Array>();
      for (const { name, shape } of network.layout.entries) {
        const info = stored.tensors.get(name);
        if (info?.dtype !== "F32" || info.shape.join() !== shape.join())
          throw damagedFile(path, `${name} is not [${shape}] of F32`);
        // A run that has diverged goes on as it would have.
        values.set(name, await stored.readF32(name, { allowNonFinite: true }));
      }
      bank.upload(values);
    } finally {
      await stored.close();
    }
  }
}

const damagedFile = (path: string, why: string) =>
  new NcvsdError("BAD_CHECKPOINT", `${path} is damaged: ${why}; take the state from a copy.`);
