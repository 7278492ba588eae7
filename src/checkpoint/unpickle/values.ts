import type { ByteSource } from "../byte-source.js";
import { LIMITS, PickleError } from "./limits.js";

/**
 * What a pickle can hold, as inert data. Nothing here refers to Python code: a global is two names, an object of an
 * unknown class is a record of what the pickle said about it.
 */
export type PyValue = null | boolean | number | bigint | string | PyNode;

/** Base of everything that is not a plain scalar; `depth` is how many containers are nested inside, at most. */
export abstract class PyNode {
  depth = 0;

  /** Registers `value` as being inside this node. */
  protected hold(value: PyValue): void {
    if (value instanceof PyNode && value.depth >= this.depth) {
      this.depth = value.depth + 1;
      if (this.depth > LIMITS.nesting) throw new PickleError(`it nests more than ${LIMITS.nesting} containers`);
    }
  }
}

/** Text too long to be decoded, left in the file: `length` bytes of UTF-8 or latin-1. */
export class PyText extends PyNode {
  /** The bytes that it stands for, once something has asked for them. */
  encoded: Promise<PyBytes> | undefined;

  constructor(
    readonly source: ByteSource,
    readonly offset: number,
    readonly length: number,
    readonly encoding: "utf8" | "latin1",
  ) {
    super();
  }
}

/** Bytes left in the file. */
export class PyBytes extends PyNode {
  /** The storage that they hold, once something has asked for it: however often it asks, the bytes are read once. */
  storage: PyStorageBlob | undefined;

  constructor(
    readonly source: ByteSource,
    readonly offset: number,
    readonly length: number,
  ) {
    super();
  }
}

export class PyTuple extends PyNode {
  constructor(readonly items: readonly PyValue[]) {
    super();
    for (const item of items) this.hold(item);
  }
}

export class PyList extends PyNode {
  readonly items: PyValue[] = [];

  append(value: PyValue): void {
    this.hold(value);
    this.items.push(value);
  }
}

/** A set or frozenset. Unhashable members are not noticed: nothing is ever looked up by value but strings. */
export class PySet extends PyNode {
  readonly #list: PyList;
  #lookup: Set<PyValue> | undefined;

  constructor(list = new PyList()) {
    super();
    this.#list = list;
    this.hold(list);
  }

  has(value: PyValue): boolean {
    // Asked only once the pickle has been read.
    this.#lookup ??= new Set(this.#list.items);
    return this.#lookup.has(value);
  }

  append(value: PyValue): void {
    this.#list.append(value);
    this.hold(this.#list);
  }
}

/** A dict, OrderedDict or similar. Only scalar keys compare by value. */
export class PyDict extends PyNode {
  // An empty Map costs 200 bytes, and a pickle may hold a million empty dicts.
  #map: Map<PyValue, PyValue> | undefined;

  set(key: PyValue, value: PyValue): void {
    this.hold(key);
    this.hold(value);
    this.#map ??= new Map();
    this.#map.set(key, value);
  }

  get(key: PyValue): PyValue | undefined {
    return this.#map?.get(key);
  }

  has(key: PyValue): boolean {
    return this.#map?.has(key) ?? false;
  }

  get size(): number {
    return this.#map?.size ?? 0;
  }

  entries(): Iterable<[PyValue, PyValue]> {
    return this.#map ?? [];
  }
}

/** The name of a class or function. It is never resolved to one. */
export class PyGlobal extends PyNode {
  constructor(
    readonly module: string,
    readonly name: string,
  ) {
    super();
  }

  get qualified(): string {
    return `${this.module}.${this.name}`;
  }
}

/** An object of a class that means nothing to this reader, with whatever the pickle stored in it. */
export class PyObject extends PyNode {
  state: PyValue | undefined;
  readonly items = new PyDict();
  #list: PyList | undefined;

  constructor(
    readonly cls: PyGlobal,
    readonly args: PyValue,
  ) {
    super();
    this.hold(args);
  }

  setState(state: PyValue): void {
    this.hold(state);
    this.state = state;
  }

  setItem(key: PyValue, value: PyValue): void {
    this.items.set(key, value);
    this.hold(this.items);
  }

  append(value: PyValue): void {
    this.#list ??= new PyList();
    this.#list.append(value);
    this.hold(this.#list);
  }
}

/** An instance of a class decorated with `torch_utils.persistence`: class name, embedded source and state are in `meta`. */
export class PyPersistent extends PyNode {
  constructor(readonly meta: PyDict) {
    super();
    this.hold(meta);
  }
}

/** The argument of `torch.storage._load_from_bytes`: a whole `torch.save` file, read only if a tensor needs it. */
export class PyStorageBlob extends PyNode {
  /** Set by the reader of the blob, which parses every blob once. */
  resolved: Promise<PyStorage> | undefined;

  constructor(readonly bytes: PyBytes) {
    super();
  }
}

/** Elements of one type, contiguous in `source` from byte `offset`. */
export class PyStorage extends PyNode {
  constructor(
    readonly dtype: TorchDtype,
    readonly elements: number,
    /** Undefined until the container that holds the data has been read to its end. */
    public data: { source: ByteSource; offset: number } | undefined,
  ) {
    super();
  }
}

/** A strided view of a storage; offset and strides count elements. */
export class PyTensor extends PyNode {
  constructor(
    readonly storage: PyStorageBlob | PyStorage,
    /** Undefined: that of the storage. */
    readonly dtype: TorchDtype | undefined,
    readonly offset: number,
    readonly size: readonly number[],
    readonly stride: readonly number[],
  ) {
    super();
  }
}

/** A numpy dtype: kind and item size as in "f4", and the byte order that `BUILD` adds. */
export class PyDtype extends PyNode {
  littleEndian = true;

  constructor(readonly code: string) {
    super();
  }
}

/** A numpy array or (with shape []) scalar. */
export class PyArray extends PyNode {
  content: { shape: readonly number[]; dtype: PyDtype; fortran: boolean; bytes: PyBytes } | undefined;
}

/** Element types of torch storages. Those outside F16, BF16, F32, F64 occur beside networks, not in them. */
export type TorchDtype = "F16" | "BF16" | "F32" | "F64" | "I64" | "I32" | "I16" | "I8" | "U8" | "BOOL";

export const DTYPE_BYTES: Record<TorchDtype, number> = {
  F16: 2,
  BF16: 2,
  F32: 4,
  F64: 8,
  I64: 8,
  I32: 4,
  I16: 2,
  I8: 1,
  U8: 1,
  BOOL: 1,
};
