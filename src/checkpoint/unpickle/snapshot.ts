import { NcvsdError } from "../../errors.js";
import type { ByteSource } from "../byte-source.js";
import { bad, quote } from "../fail.js";
import { openPickleOrTorch } from "../torch-storage.js";
import { type Argument, type Arguments, networkArguments, toJson } from "./arguments.js";
import { chooseNetwork, findNetworks } from "./candidates.js";
import { Budget, LIMITS, PickleError } from "./limits.js";
import { type LocatedTensor, locateTensor, tensorChunks } from "./materialise.js";
import { instanceOf } from "./modules.js";
import { DTYPE_BYTES, PyDict, PyObject, type PyValue } from "./values.js";

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
  /** "other": of another kind, where that was asked for. */
  readonly architecture: "edm2" | "ncvsd" | "other";
  /** Class of the network, or "state_dict" if the file holds its tensors only. */
  readonly className: string;
  /** Constructor arguments that the file tells, unchecked, under the reference's names. */
  readonly arguments: Arguments;
  /** True if arguments that are absent have the reference's defaults; false if they are just not known. */
  readonly complete: boolean;
  /** By state_dict names, without the prefix of any module around the network. */
  readonly tensors: ReadonlyMap<string, SnapshotTensor>;
  /** Keys and prefix of the network in the file; "(top)" if it is the file's own value. */
  readonly selected: string;
  /** Those of the networks that were not taken. */
  readonly others: readonly string[];
  /** True if, by its name, it is an average of the weights over training. */
  readonly averaged: boolean;
  /** What the snapshot says of the encoder of a latent model: class_name, vae_name, and per channel scale and bias. */
  readonly encoder: Readonly<Record<string, Argument>> | undefined;
}

/**
 * Reads a pickled snapshot of the reference (`.pkl`), or a `torch.save` file of a network or of its state_dict, as data:
 * nothing in it is imported, called or executed. Memory stays within a few mebibytes and the limits of limits.ts; tensor
 * values remain in the file until their chunks are asked for.
 * @param ofAnyKind take a network of any kind, such as a VAE, and its tensors as they are
 * @param select which network, by its keys or the prefix of its tensors; absent: the only one, or the only average
 * @throws NcvsdError BAD_CHECKPOINT: what is wrong with the file, or that no network of a known kind is in it, or that there
 *   are several; BAD_ARGUMENT: `select` names none of them
 */
export async function readSnapshot(source: ByteSource, select?: string, ofAnyKind = false): Promise<Snapshot> {
  return guarded(source, async () => {
    const budget = new Budget();
    const root = await openPickleOrTorch(source, budget);
    const { found, selected, others } = networkIn(root, select, source.name, ofAnyKind);

    const tensors = new Map<string, SnapshotTensor>();
    let bytes = 0;
    for (const [name, tensor] of found.tensors()) {
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
    const args = ofAnyKind ? undefined : found.network && (await networkArguments(found.network));
    return {
      architecture: found.architecture,
      className: found.network?.className ?? "state_dict",
      arguments: { ...args?.values, ...found.wrapper },
      complete: args?.complete ?? false,
      tensors,
      selected,
      others,
      averaged: found.averaged,
      encoder: await encoderOf(root),
    };
  });
}

function networkIn(root: PyValue, select: string | undefined, file: string, ofAnyKind: boolean) {
  const all = findNetworks(root, ofAnyKind);
  if (all.candidates.length === 0) {
    if (all.discriminator !== undefined) {
      const what = `its ${quote(all.discriminator)} is a discriminator`;
      throw new PickleError(`${what}, which only training needs: give the generator`);
    }
    if (ofAnyKind) throw new PickleError(`it holds no tensors by names (${keysOf(root)})`);
    throw new PickleError(
      `it holds no EDM2 Precond and no NCVSD PrecondCondition (${keysOf(root)}); --tensors copies those of a network of another kind`,
    );
  }
  const chosen = chooseNetwork(all, select);
  if (typeof chosen !== "string") return { ...chosen, found: chosen.candidate };
  if (select !== undefined) throw new NcvsdError("BAD_ARGUMENT", `${quote(file)}: ${chosen}`);
  throw new PickleError(chosen);
}

/** What lies at the top of the file, for a message. */
function keysOf(root: PyValue): string {
  const dict = root instanceof PyObject ? root.items : root;
  const keys = dict instanceof PyDict ? [...dict.entries()].slice(0, 6).flatMap(([key]) => key) : [];
  const names = keys.map((key) => quote(String(key).slice(0, 40)));
  return names.length === 0 ? "its value is no dict" : `looked under ${names.join(", ")}`;
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
