/** A pickle assembler: opcodes by name, and a small pickler for values described by plain objects. */
import { OP } from "../../src/checkpoint/unpickle/opcodes.js";

export const concat = (parts: readonly Uint8Array[]): Uint8Array => new Uint8Array(Buffer.concat(parts));
export const u32 = (n: number) => Uint8Array.of(n & 255, (n >>> 8) & 255, (n >>> 16) & 255, n >>> 24);

export function u64(n: number | bigint): Uint8Array {
  const out = new Uint8Array(8);
  new DataView(out.buffer).setBigUint64(0, BigInt(n), true);
  return out;
}

/** Appends opcodes; `op.MARK` and so on are in opcodes.ts. */
export class PickleAsm {
  readonly #parts: Uint8Array[] = [];

  constructor(readonly protocol = 4) {
    this.op(OP.PROTO, protocol);
  }

  op(opcode: number, ...rest: (number | Uint8Array)[]): this {
    this.#parts.push(Uint8Array.of(opcode), ...rest.map((r) => (typeof r === "number" ? Uint8Array.of(r) : r)));
    return this;
  }

  repeat(count: number, ...opcodes: number[]): this {
    const unit = Uint8Array.from(opcodes);
    const out = new Uint8Array(unit.length * count);
    for (let i = 0; i < count; i++) out.set(unit, i * unit.length);
    this.#parts.push(out);
    return this;
  }

  text(text: string): this {
    const bytes = new TextEncoder().encode(text);
    return bytes.length < 256 && this.protocol >= 4
      ? this.op(OP.SHORT_BINUNICODE, bytes.length, bytes)
      : this.op(OP.BINUNICODE, u32(bytes.length), bytes);
  }

  bytes(bytes: Uint8Array): this {
    // Protocol 2 has no bytes: Python 3 writes them as latin-1 text.
    if (this.protocol === 2) {
      this.global("_codecs", "encode").text(Buffer.from(bytes).toString("latin1")).text("latin1");
      return this.op(OP.TUPLE2).op(OP.REDUCE);
    }
    return bytes.length < 256
      ? this.op(OP.SHORT_BINBYTES, bytes.length, bytes)
      : this.op(OP.BINBYTES, u32(bytes.length), bytes);
  }

  number(n: number): this {
    if (!Number.isInteger(n)) {
      const out = new Uint8Array(8);
      new DataView(out.buffer).setFloat64(0, n, false);
      return this.op(OP.BINFLOAT, out);
    }
    if (n >= 0 && n < 256) return this.op(OP.BININT1, n);
    if (n >= -(2 ** 31) && n < 2 ** 31) return this.op(OP.BININT, u32(n));
    return this.op(OP.LONG1, 8, u64(BigInt.asUintN(64, BigInt(n))));
  }

  global(module: string, name: string): this {
    if (this.protocol >= 4) return this.text(module).text(name).op(OP.STACK_GLOBAL);
    return this.op(OP.GLOBAL, new TextEncoder().encode(`${module}\n${name}\n`));
  }

  /** The finished pickle. */
  stop(): Uint8Array {
    return concat([...this.#parts, Uint8Array.of(OP.STOP)]);
  }

  /** Writes a value; objects that were written before are fetched from the memo. */
  value(value: Py, memo = new Map<object, number>()): this {
    if (value === null) return this.op(OP.NONE);
    if (typeof value === "boolean") return this.op(value ? OP.NEWTRUE : OP.NEWFALSE);
    if (typeof value === "number") return this.number(value);
    if (typeof value === "string") return this.text(value);
    if (typeof value === "bigint") {
      const bytes = [];
      for (let rest = value; rest > 0n; rest >>= 8n) bytes.push(Number(rest & 255n));
      return this.op(OP.LONG1, bytes.length + 1, Uint8Array.from([...bytes, 0]));
    }
    const known = memo.get(value);
    if (known !== undefined) return this.op(OP.LONG_BINGET, u32(known));
    const put = () => {
      memo.set(value, memo.size);
      return this.op(OP.LONG_BINPUT, u32(memo.size - 1));
    };
    if (value instanceof Uint8Array) {
      this.bytes(value);
      return put();
    }
    if (isList(value)) {
      this.op(OP.EMPTY_LIST);
      put().op(OP.MARK);
      for (const item of value) this.value(item, memo);
      return this.op(OP.APPENDS);
    }
    if (isMap(value)) {
      this.op(OP.EMPTY_DICT);
      put();
      return this.#items(value, memo);
    }
    if ("tuple" in value) {
      this.op(OP.MARK);
      for (const item of value.tuple) this.value(item, memo);
      this.op(OP.TUPLE);
      return put();
    }
    if ("global" in value) {
      this.global(...value.global);
      return put();
    }
    if ("persistentId" in value) return this.value(value.persistentId, memo).op(OP.BINPERSID);
    if ("set" in value) {
      if (this.protocol < 4) return this.value(call("__builtin__", "set", value.set), memo);
      this.op(OP.EMPTY_SET).op(OP.MARK);
      for (const item of value.set) this.value(item, memo);
      return this.op(OP.ADDITEMS);
    }
    this.value(value.cls, memo).value({ tuple: value.args }, memo);
    this.op("reduce" in value ? OP.REDUCE : OP.NEWOBJ);
    put();
    if (value.items) this.#items(value.items, memo);
    if (value.state !== undefined) this.value(value.state, memo).op(OP.BUILD);
    return this;
  }

  #items(items: ReadonlyMap<Py, Py>, memo: Map<object, number>): this {
    if (items.size === 0) return this;
    this.op(OP.MARK);
    for (const [key, item] of items) this.value(key, memo).value(item, memo);
    return this.op(OP.SETITEMS);
  }
}

/** A value to pickle. Arrays are lists, maps dicts, byte arrays bytes. */
export type Py =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | readonly Py[]
  | ReadonlyMap<Py, Py>
  | { readonly tuple: readonly Py[] }
  | { readonly set: readonly Py[] }
  | { readonly global: readonly [module: string, name: string] }
  | { readonly persistentId: Py }
  | PyCall;

const isList = (value: Py): value is readonly Py[] => Array.isArray(value);
const isMap = (value: Py): value is ReadonlyMap<Py, Py> => value instanceof Map;

/** An object that REDUCE (`reduce: true`) or NEWOBJ makes. */
export interface PyCall {
  readonly reduce?: true;
  readonly cls: Py;
  readonly args: readonly Py[];
  readonly items?: ReadonlyMap<Py, Py>;
  readonly state?: Py;
}

export const dump = (value: Py, protocol = 4): Uint8Array => new PickleAsm(protocol).value(value).stop();
export const dict = (entries: Record<string, Py>): Map<Py, Py> => new Map(Object.entries(entries));
export const tuple = (...items: Py[]): Py => ({ tuple: items });

export const call = (module: string, name: string, ...args: Py[]): PyCall => ({
  reduce: true,
  cls: { global: [module, name] },
  args,
});

export const instance = (module: string, name: string, state: Py): PyCall => ({
  cls: { global: [module, name] },
  args: [],
  state,
});

export const orderedDict = (entries: Record<string, Py> = {}): PyCall => ({
  ...call("collections", "OrderedDict"),
  items: dict(entries),
});

export const easyDict = (entries: Record<string, Py>): PyCall => ({
  cls: { global: ["dnnlib.util", "EasyDict"] },
  args: [],
  items: dict(entries),
});

/** An object of a class under `torch_utils.persistence`. */
export const persistent = (className: string, state: Record<string, Py>): PyCall =>
  call(
    "torch_utils.persistence",
    "_reconstruct_persistent_obj",
    dict({
      type: "class",
      version: 6,
      module_src: "import os  # source text\n",
      class_name: className,
      state: dict(state),
    }),
  );
