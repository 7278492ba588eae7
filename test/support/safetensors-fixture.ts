import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { openCheckpoint, type TensorToWrite, writeSafetensors } from "../../src/checkpoint/index.js";
import { NcvsdError } from "../../src/errors.js";
import { type ParsedConfig, parseConfig } from "../../src/networks/edm2/config.js";
import { validateTensors } from "../../src/networks/edm2/names.js";

/** Path of a file in test/fixtures. */
export function fixturePath(name: string): string {
  return fileURLToPath(new URL(`../fixtures/${name}`, import.meta.url));
}

/** Path of a file in weights/. */
export function weightsPath(name: string): string {
  return fileURLToPath(new URL(`../../weights/${name}`, import.meta.url));
}

export interface Fixture {
  readonly metadata: Readonly<Record<string, string>>;
  readonly names: readonly string[];
  shape(name: string): readonly number[];
  /** Any float dtype, as 32-bit floats. */
  f32(name: string): Float32Array<ArrayBuffer>;
  /** F64 as stored; other float dtypes widened. */
  f64(name: string): Float64Array<ArrayBuffer>;
}

/** A recorded case, all of it in memory. */
export async function loadFixture(name: string): Promise<Fixture> {
  const checkpoint = await openCheckpoint(fixturePath(name));
  const f32 = new Map<string, Float32Array<ArrayBuffer>>();
  const f64 = new Map<string, Float64Array<ArrayBuffer>>();
  for (const { name: tensor, dtype } of checkpoint.tensors.values()) {
    if (!["F64", "F32", "F16", "BF16"].includes(dtype)) continue;
    f32.set(tensor, await checkpoint.readF32(tensor, { allowNonFinite: true }));
    if (dtype === "F64") f64.set(tensor, new Float64Array((await checkpoint.readBytes(tensor)).slice().buffer));
  }
  await checkpoint.close();
  const need = <T>(value: T | undefined, tensor: string): T => {
    if (value === undefined) throw new Error(`fixture ${name} has no float tensor ${tensor}`);
    return value;
  };
  return {
    metadata: checkpoint.metadata,
    names: [...checkpoint.tensors.keys()],
    shape: (tensor) => need(checkpoint.tensors.get(tensor), tensor).shape,
    f32: (tensor) => need(f32.get(tensor), tensor),
    f64: (tensor) => f64.get(tensor) ?? Float64Array.from(need(f32.get(tensor), tensor)),
  };
}

/** A file of an arbitrary header text (or header bytes) and data, right or wrong; `headerLength` is what the file claims. */
export function rawFile(
  header: string | Uint8Array,
  data: Uint8Array = new Uint8Array(0),
  headerLength?: bigint,
): Uint8Array<ArrayBuffer> {
  const bytes = typeof header === "string" ? new TextEncoder().encode(header) : header;
  const out = new Uint8Array(8 + bytes.length + data.length);
  new DataView(out.buffer).setBigUint64(0, headerLength ?? BigInt(bytes.length), true);
  out.set(bytes, 8);
  out.set(data, 8 + bytes.length);
  return out;
}

/** A checkpoint file as a list to be changed and written again. */
export async function editable(path: string): Promise<{ tensors: TensorToWrite[]; metadata: Record<string, string> }> {
  const checkpoint = await openCheckpoint(new Uint8Array(readFileSync(path)));
  const tensors: TensorToWrite[] = [];
  for (const { name, dtype, shape } of checkpoint.tensors.values()) {
    tensors.push({ name, dtype, shape, data: await checkpoint.readBytes(name) });
  }
  return { tensors, metadata: { ...checkpoint.metadata } };
}

/** The file `path` with its metadata and tensors changed by `edit` in place, as bytes. */
export async function edited(
  path: string,
  edit: (file: { tensors: TensorToWrite[]; metadata: Record<string, string> }) => void,
): Promise<Uint8Array<ArrayBuffer>> {
  const file = await editable(path);
  edit(file);
  return writeSafetensors(file.tensors, file.metadata);
}

/** Zero-filled F16 tensors of the given names and shapes. */
export function zeros(shapes: Iterable<readonly [string, readonly number[]]>): TensorToWrite[] {
  return [...shapes].map(([name, shape]) => {
    const data = new Uint16Array(shape.reduce((product, extent) => product * extent, 1));
    return { name, dtype: "F16", shape, data };
  });
}

/** Parses and validates `path` with its metadata first changed by `change` in place. */
export async function parsedWith(
  path: string,
  change: (metadata: Record<string, string>) => void = () => {},
): Promise<ParsedConfig> {
  const checkpoint = await openCheckpoint(await edited(path, ({ metadata }) => change(metadata)));
  const parsed = parseConfig(checkpoint);
  validateTensors(checkpoint, parsed.architecture, parsed.config);
  return parsed;
}

/** The same with some arguments of the config replaced, or removed (undefined). */
export function parsedWithConfig(path: string, change: Record<string, unknown>): Promise<ParsedConfig> {
  return parsedWith(path, (metadata) => {
    metadata.config = JSON.stringify({ ...JSON.parse(metadata.config!), ...change });
  });
}

/** The message of the one-line BAD_CHECKPOINT that `attempt` ends in. */
export async function refusal(attempt: Promise<unknown>): Promise<string> {
  const error = await attempt.then(
    () => undefined,
    (e: unknown) => e,
  );
  if (!(error instanceof NcvsdError) || error.code !== "BAD_CHECKPOINT" || error.message.includes("\n")) {
    throw new Error(`expected a refusal, got ${error}`);
  }
  return error.message;
}
