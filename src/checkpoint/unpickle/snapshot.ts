import { bad, quote } from "../fail.js";
import type { ByteSource } from "../source.js";
import { openPickleOrTorch } from "../torch-storage.js";
import { type Argument, type Arguments, networkArguments, toJson } from "./arguments.js";
import { Budget, LIMITS, PickleError } from "./limits.js";
import { type LocatedTensor, locateTensor, tensorChunks } from "./materialise.js";
import { instanceOf, type ModuleRecord, moduleOf, stateDict } from "./modules.js";
import { DTYPE_BYTES, PyDict, PyNode, PyObject, PyTensor, type PyValue } from "./values.js";

/** One tensor of a snapshot. */
export interface SnapshotTensor {
  readonly name: string;
  /** safetensors dtype. */
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly byteLength: number;
  /** The elements, row-major and little-endian, in pieces of a few mebibytes. */
  chunks(): AsyncGenerator<Uint8Array>;
}

/** The network found in a pickle. */
export interface Snapshot {
  readonly architecture: "edm2" | "ncvsd";
  /** Class of the network, or "state_dict" if the file holds its tensors only. */
  readonly className: string;
  /** Constructor arguments that the file tells, unchecked, under the reference's names. */
  readonly arguments: Arguments;
  /** True if arguments that are absent have the reference's defaults; false if they are just not known. */
  readonly complete: boolean;
  /** By state_dict names, without the prefix of any module around the network. */
  readonly tensors: ReadonlyMap<string, SnapshotTensor>;
  /** What the snapshot says of the encoder of a latent model: class_name, vae_name, and per channel scale and bias. */
  readonly encoder: Readonly<Record<string, Argument>> | undefined;
}

/** Keys under which files keep the network. `ema` is the reference's: where it is, weights before averaging are not taken. */
const KEYS = ["net", "network", "model", "G", "state_dict", "model_state_dict", "module"];

/**
 * Reads a pickled snapshot of the reference (`.pkl`), or a `torch.save` file of a network or of its state_dict, as data:
 * nothing in it is imported, called or executed. Memory stays within a few mebibytes and the limits of limits.ts; tensor
 * values remain in the file until their chunks are asked for.
 * @throws NcvsdError BAD_CHECKPOINT: what is wrong with the file, or that no network of a known kind is in it.
 */
export async function readSnapshot(source: ByteSource): Promise<Snapshot> {
  return guarded(source, async () => {
    const budget = new Budget();
    const root = await openPickleOrTorch(source, budget);
    const found = findNetwork(root);
    if (!found) throw new PickleError("it holds no EDM2 Precond and no NCVSD PrecondCondition (looked in 'ema')");

    const tensors = new Map<string, SnapshotTensor>();
    let bytes = 0;
    for (const [name, tensor] of found.tensors) {
      const located = await locateTensor(tensor, budget).catch((error) => {
        throw error instanceof PickleError ? new PickleError(`tensor ${quote(name)}: ${error.message}`) : error;
      });
      const byteLength = located.elements * DTYPE_BYTES[located.dtype];
      bytes += byteLength;
      if (bytes > LIMITS.expansion * source.size) {
        throw new PickleError(`its tensors claim more than ${LIMITS.expansion} times the bytes of the file`);
      }
      tensors.set(name, {
        name,
        dtype: located.dtype,
        shape: located.shape,
        byteLength,
        chunks: () => chunks(source, located),
      });
    }
    const args = found.network && (await networkArguments(found.network));
    return {
      architecture: found.architecture,
      className: found.network?.className ?? "state_dict",
      arguments: { ...args?.values, ...found.wrapper },
      complete: args?.complete ?? false,
      tensors,
      encoder: await encoderOf(root),
    };
  });
}

async function* chunks(source: ByteSource, tensor: LocatedTensor): AsyncGenerator<Uint8Array> {
  const iterator = tensorChunks(tensor);
  for (;;) {
    const next = await guarded(source, () => iterator.next());
    if (next.done) return;
    yield next.value;
  }
}

/** Turns what is wrong inside the file into the error that names the file. */
async function guarded<T>(source: ByteSource, read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    if (error instanceof PickleError) throw bad(`${quote(source.name)} cannot be converted: ${error.message}`, error);
    throw error;
  }
}

interface Found {
  architecture: "edm2" | "ncvsd";
  network: ModuleRecord | undefined;
  tensors: Map<string, PyTensor>;
  /** Arguments that the modules around the network hold: those of the generative denoiser. */
  wrapper: Arguments;
}

/** Looks for a network in `value`: in a module and the modules inside it, in a dict under the usual keys. */
function findNetwork(value: PyValue | undefined, wrapper: Arguments = {}, seen = new Set<PyNode>()): Found | undefined {
  if (!(value instanceof PyNode) || seen.has(value) || seen.size > LIMITS.searched) return undefined;
  seen.add(value);
  const module = moduleOf(value);
  if (module) {
    const around = { ...wrapper };
    for (const name of ["gamma", "init_sigma"]) {
      const number = module.state.get(name);
      if (typeof number === "number") around[name] = number;
    }
    const architecture = recognise(module);
    if (architecture) {
      return {
        architecture,
        network: module,
        tensors: stateDict(module),
        wrapper: architecture === "ncvsd" ? around : {},
      };
    }
    // A wrapper has one module inside, or a few; a network that is not ours has many, which say nothing.
    if (module.children.size > 8) return undefined;
    for (const child of module.children.values()) {
      const found = findNetwork(child, around, seen);
      if (found) return found;
    }
    return undefined;
  }
  const dict = value instanceof PyObject ? value.items : value;
  if (!(dict instanceof PyDict)) return undefined;
  const tensors = tensorsOf(dict);
  if (tensors) return tensors;
  for (const key of (dict.get("ema") ?? null) === null ? KEYS : ["ema"]) {
    const found = findNetwork(dict.get(key), wrapper, seen);
    if (found) return found;
  }
  return undefined;
}

/** By structure, so that a renamed class is recognised; `Precond` and `PrecondCondition` are what the reference calls them. */
function recognise({ className, children }: ModuleRecord): "edm2" | "ncvsd" | undefined {
  const parts = ["ctrl", "enc", "dec"].filter((name) => children.has(name));
  if (children.has("unet")) return "edm2";
  if (parts.length === 3) return "ncvsd";
  if (children.has("ctrl") && children.has("enc")) {
    throw new PickleError(`its ${quote(className)} is a discriminator, which only training needs: give the generator`);
  }
  return undefined;
}

/** A state_dict: a dict of tensors with the names of one of the networks, behind one common prefix or none. */
function tensorsOf(dict: PyDict): Found | undefined {
  const entries: [string, PyTensor][] = [];
  for (const [name, value] of dict.entries()) {
    if (!(value instanceof PyTensor)) continue;
    if (typeof name !== "string" || name.length > LIMITS.nameLength) return undefined;
    entries.push([name, value]);
    if (entries.length > LIMITS.tensors) throw new PickleError(`it has more than ${LIMITS.tensors} tensors`);
  }
  const marks = { edm2: "unet.out_gain", ncvsd: "dec.additional_x_weight" } as const;
  for (const architecture of ["edm2", "ncvsd"] as const) {
    const mark = marks[architecture];
    const key = entries.find(([name]) => name === mark || name.endsWith(`.${mark}`))?.[0];
    if (key === undefined) continue;
    const prefix = key.slice(0, -mark.length);
    const inside = entries.filter(([name]) => name.startsWith(prefix));
    const tensors = new Map(inside.map(([name, tensor]) => [name.slice(prefix.length), tensor]));
    return { architecture, network: undefined, tensors, wrapper: {} };
  }
  return undefined;
}

async function encoderOf(root: PyValue): Promise<Record<string, Argument> | undefined> {
  const dict = root instanceof PyObject ? root.items : root;
  const encoder = dict instanceof PyDict ? instanceOf(dict.get("encoder")) : undefined;
  if (!encoder?.state.has("scale") || !encoder.state.has("bias")) return undefined;
  const found: Record<string, Argument> = { class_name: encoder.className };
  for (const name of ["vae_name", "scale", "bias"]) {
    const value = encoder.state.get(name);
    if (value !== undefined) found[name] = await toJson(value, `the encoder's ${name}`);
  }
  return found;
}
