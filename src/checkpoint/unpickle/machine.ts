import type { ByteSource } from "../byte-source.js";
import { quote } from "../fail.js";
import { build, newObject, reduce } from "./globals.js";
import { type Budget, LIMITS, PickleError, RefusedCall } from "./limits.js";
import { OP, refusal } from "./opcodes.js";
import { PickleReader } from "./reader.js";
import { PyBytes, PyDict, PyGlobal, PyList, PyNode, PyObject, PySet, PyText, PyTuple, type PyValue } from "./values.js";

/** Turns a persistent id into a value; without one, persistent ids are refused. */
export type PersistentLoad = (id: PyValue) => PyValue;

/**
 * Reads one pickle of protocol 2 to 5 as data, from byte `position` of `source`.
 *
 * This is the stack machine of CPython's pickle module with everything taken out that reaches beyond the file: names are
 * never resolved, callables never called (globals.ts has the few whose meaning is known), there is no extension registry
 * and no out-of-band data. Byte strings stay in the file. Returns the value and the position after STOP.
 */
export async function unpickle(
  source: ByteSource,
  position: number,
  budget: Budget,
  persistentLoad?: PersistentLoad,
): Promise<{ value: PyValue; end: number }> {
  const machine = new Machine(new PickleReader(source, position), budget, persistentLoad);
  const value = await machine.run();
  return { value, end: machine.reader.position };
}

/** Carries out one opcode; returns a promise only if it has to wait for bytes. */
type Step = (machine: Machine, reader: PickleReader) => void | Promise<void>;

class Machine {
  readonly #stack: PyValue[] = [];
  /** Heights of the stack at the open marks; nothing below the topmost may be popped. */
  readonly #marks: number[] = [];
  readonly #memo = new Map<number, PyValue>();

  constructor(
    readonly reader: PickleReader,
    readonly budget: Budget,
    readonly persistentLoad: PersistentLoad | undefined,
  ) {}

  async run(): Promise<PyValue> {
    const { reader, budget } = this;
    const start = reader.position;
    await reader.fill(2);
    if (!reader.has(2) || reader.u8() !== OP.PROTO) {
      throw new PickleError(`there is no pickle of protocol 2 to 5 at byte ${start}`);
    }
    const protocol = reader.u8();
    if (protocol < 2 || protocol > 5) throw new PickleError(`pickle protocol ${protocol} is not one of 2 to 5`);
    try {
      for (;;) {
        if (--budget.opcodes < 0) throw new PickleError(`it takes more than ${LIMITS.opcodes} opcodes`);
        // No opcode has more than eight bytes of fixed arguments.
        if (!reader.has(9)) await reader.fill(9);
        const opcode = reader.u8();
        if (opcode === OP.STOP) return this.stop();
        const step = STEPS[opcode];
        if (!step) throw new PickleError(refusal(opcode));
        const pending = step(this, reader);
        if (pending) await pending;
      }
    } catch (error) {
      if (error instanceof RefusedCall) {
        const path = this.pendingKeys();
        if (path !== "")
          throw new PickleError(`under ${quote(path)} ${error.message} (before byte ${reader.position})`);
      }
      // An error from a pickle inside this one says already where it is.
      if (!(error instanceof PickleError) || error.message.includes(" byte ")) throw error;
      throw new PickleError(`${error.message} (before byte ${reader.position})`);
    }
  }

  stop(): PyValue {
    const value = this.pop();
    if (this.#stack.length > 0 || this.#marks.length > 0) throw new PickleError("STOP leaves values on the stack");
    return value;
  }

  /** The keys of the dicts that are being filled, from the outermost: where in the file the machine is. */
  pendingKeys(): string {
    const keys: string[] = [];
    const bounds = [0, ...this.#marks, this.#stack.length];
    for (let i = 0; i + 1 < bounds.length; i++) {
      const owner = this.#stack[bounds[i]! - 1];
      const values = this.#stack.slice(bounds[i]!, bounds[i + 1]!);
      // Above a mark after a dict stand whole pairs, then a key and what is being made for it.
      let at = values.length - 1;
      while (at >= 0 && values[at] instanceof PyNode && !(values[at] instanceof PyText)) at--;
      const key = values[at];
      const inDict = owner instanceof PyDict && at % 2 === 0;
      const alone = values[at - 1] instanceof PyDict || values[at - 1] instanceof PyObject;
      if (typeof key === "string" && (inDict || alone)) keys.push(key.length > 60 ? `${key.slice(0, 60)}…` : key);
    }
    return keys.slice(0, 8).join(".");
  }

  push(value: PyValue): void {
    this.#stack.push(value);
  }

  pop(): PyValue {
    if (this.#stack.length <= (this.#marks.at(-1) ?? 0)) throw new PickleError("an opcode finds the stack empty");
    return this.#stack.pop()!;
  }

  top(): PyValue {
    if (this.#stack.length <= (this.#marks.at(-1) ?? 0)) throw new PickleError("an opcode finds the stack empty");
    return this.#stack.at(-1)!;
  }

  mark(): void {
    if (this.#marks.length >= LIMITS.nesting) throw new PickleError(`it has ${LIMITS.nesting} open marks`);
    this.#marks.push(this.#stack.length);
  }

  /** The values since the last mark, which is closed. */
  popMark(): PyValue[] {
    const mark = this.#marks.pop();
    if (mark === undefined) throw new PickleError("an opcode finds no mark on the stack");
    return this.#stack.splice(mark);
  }

  /** POP takes a mark away if that is on top. */
  discard(): void {
    if (this.#marks.at(-1) === this.#stack.length) this.#marks.pop();
    else this.pop();
  }

  get(index: number): void {
    const value = this.#memo.get(index);
    if (value === undefined) throw new PickleError(`memo entry ${index} was never stored`);
    this.push(value);
  }

  put(index = this.#memo.size): void {
    this.#memo.set(index, this.top());
  }

  append(values: readonly PyValue[]): void {
    const target = this.top();
    if (!(target instanceof PyList || target instanceof PyObject)) throw new PickleError("APPEND without a list");
    for (const value of values) target.append(value);
  }

  addItems(values: readonly PyValue[]): void {
    const target = this.top();
    if (!(target instanceof PySet || target instanceof PyObject)) throw new PickleError("ADDITEMS without a set");
    for (const value of values) target.append(value);
  }

  setItems(pairs: readonly PyValue[]): void {
    const target = this.top();
    if (pairs.length % 2 !== 0) throw new PickleError("SETITEMS with a key that has no value");
    for (let i = 0; i < pairs.length; i += 2) {
      if (target instanceof PyDict) target.set(pairs[i]!, pairs[i + 1]!);
      else if (target instanceof PyObject) target.setItem(pairs[i]!, pairs[i + 1]!);
      else throw new PickleError("SETITEMS without a dict");
    }
  }

  bytes(length: number): void {
    const { reader } = this;
    this.push(new PyBytes(reader.source, reader.skip(length), length));
  }

  text(length: number, encoding: "utf8" | "latin1"): void | Promise<void> {
    const { reader, budget } = this;
    if (length < 0) throw new PickleError(`a string has the length ${length}`);
    if (length > LIMITS.inlineTextBytes) {
      return this.push(new PyText(reader.source, reader.skip(length), length, encoding));
    }
    budget.spendText(length);
    if (reader.has(length)) return this.push(reader.text(length, encoding));
    return reader.fill(length).then(() => this.push(reader.text(length, encoding)));
  }

  long(length: number): void | Promise<void> {
    const { reader } = this;
    if (length < 0 || length > LIMITS.longBytes) throw new PickleError(`an integer has ${length} bytes`);
    if (reader.has(length)) return this.push(decodeLong(reader.bytes(length)));
    return reader.fill(length).then(() => this.push(decodeLong(reader.bytes(length))));
  }

  async global(): Promise<void> {
    const { reader } = this;
    // `has` first: filling again would move the window for every global.
    const needed = 2 * (LIMITS.globalLineBytes + 1);
    if (!reader.has(needed)) await reader.fill(needed);
    const module = reader.line(LIMITS.globalLineBytes);
    const name = reader.line(LIMITS.globalLineBytes);
    this.push(new PyGlobal(module, name));
  }

  stackGlobal(): void {
    const name = this.pop();
    const module = this.pop();
    if (typeof name !== "string" || typeof module !== "string") throw new PickleError("a global is not named by text");
    this.push(new PyGlobal(module, name));
  }

  persistentId(): void {
    const id = this.pop();
    if (!this.persistentLoad) throw new PickleError("persistent ids are refused outside of torch.save containers");
    this.push(this.persistentLoad(id));
  }

  newObject(keywords: boolean): void {
    const last = this.pop();
    const args = keywords ? new PyTuple([this.pop(), last]) : last;
    this.push(newObject(this.pop(), args));
  }

  reduce(): void | Promise<void> {
    const args = this.pop();
    const result = reduce(this.pop(), args, this.budget);
    return result instanceof Promise ? result.then((value) => this.push(value)) : this.push(result);
  }
}

/** The last `count` values, as a tuple. */
function shortTuple(machine: Machine, count: number): void {
  const items: PyValue[] = [];
  while (items.length < count) items.push(machine.pop());
  machine.push(new PyTuple(items.reverse()));
}

function frozenSet(items: readonly PyValue[]): PySet {
  const set = new PySet();
  for (const item of items) set.append(item);
  return set;
}

function frame(length: number, remaining: number): void {
  if (length > remaining) throw new PickleError(`a frame of ${length} bytes is longer than the file`);
}

/** What every opcode does, by its code; one that is not here is refused. */
const STEPS: (Step | undefined)[] = [];
STEPS[OP.NONE] = (m) => m.push(null);
STEPS[OP.NEWTRUE] = (m) => m.push(true);
STEPS[OP.NEWFALSE] = (m) => m.push(false);
STEPS[OP.BININT] = (m, r) => m.push(r.i32());
STEPS[OP.BININT1] = (m, r) => m.push(r.u8());
STEPS[OP.BININT2] = (m, r) => m.push(r.u16());
STEPS[OP.BINFLOAT] = (m, r) => m.push(r.f64BigEndian());
STEPS[OP.LONG1] = (m, r) => m.long(r.u8());
STEPS[OP.LONG4] = (m, r) => m.long(r.i32());
STEPS[OP.SHORT_BINUNICODE] = (m, r) => m.text(r.u8(), "utf8");
STEPS[OP.BINUNICODE] = (m, r) => m.text(r.u32(), "utf8");
STEPS[OP.BINUNICODE8] = (m, r) => m.text(r.u64(), "utf8");
STEPS[OP.SHORT_BINSTRING] = (m, r) => m.text(r.u8(), "latin1");
STEPS[OP.BINSTRING] = (m, r) => m.text(r.i32(), "latin1");
STEPS[OP.SHORT_BINBYTES] = (m, r) => m.bytes(r.u8());
STEPS[OP.BINBYTES] = (m, r) => m.bytes(r.u32());
STEPS[OP.BINBYTES8] = (m, r) => m.bytes(r.u64());
STEPS[OP.BYTEARRAY8] = (m, r) => m.bytes(r.u64());
STEPS[OP.EMPTY_TUPLE] = (m) => m.push(new PyTuple([]));
STEPS[OP.TUPLE1] = (m) => shortTuple(m, 1);
STEPS[OP.TUPLE2] = (m) => shortTuple(m, 2);
STEPS[OP.TUPLE3] = (m) => shortTuple(m, 3);
STEPS[OP.TUPLE] = (m) => m.push(new PyTuple(m.popMark()));
STEPS[OP.EMPTY_LIST] = (m) => m.push(new PyList());
STEPS[OP.EMPTY_DICT] = (m) => m.push(new PyDict());
STEPS[OP.EMPTY_SET] = (m) => m.push(new PySet());
STEPS[OP.FROZENSET] = (m) => m.push(frozenSet(m.popMark()));
STEPS[OP.APPEND] = (m) => m.append([m.pop()]);
STEPS[OP.APPENDS] = (m) => m.append(m.popMark());
STEPS[OP.ADDITEMS] = (m) => m.addItems(m.popMark());
STEPS[OP.SETITEM] = (m) => m.setItems([m.pop(), m.pop()].reverse());
STEPS[OP.SETITEMS] = (m) => m.setItems(m.popMark());
STEPS[OP.MARK] = (m) => m.mark();
STEPS[OP.POP] = (m) => m.discard();
STEPS[OP.POP_MARK] = (m) => void m.popMark();
STEPS[OP.BINGET] = (m, r) => m.get(r.u8());
STEPS[OP.LONG_BINGET] = (m, r) => m.get(r.u32());
STEPS[OP.BINPUT] = (m, r) => m.put(r.u8());
STEPS[OP.LONG_BINPUT] = (m, r) => m.put(r.u32());
STEPS[OP.MEMOIZE] = (m) => m.put();
STEPS[OP.FRAME] = (_, r) => frame(r.u64(), r.remaining);
STEPS[OP.GLOBAL] = (m) => m.global();
STEPS[OP.STACK_GLOBAL] = (m) => m.stackGlobal();
STEPS[OP.BINPERSID] = (m) => m.persistentId();
STEPS[OP.NEWOBJ] = (m) => m.newObject(false);
STEPS[OP.NEWOBJ_EX] = (m) => m.newObject(true);
STEPS[OP.REDUCE] = (m) => m.reduce();
STEPS[OP.BUILD] = (m) => {
  const state = m.pop();
  build(m.top(), state);
};

/** Two's complement, little-endian, no bytes for zero; a number where that is exact. */
export function decodeLong(bytes: Uint8Array): number | bigint {
  let value = 0n;
  for (let i = bytes.length - 1; i >= 0; i--) value = (value << 8n) | BigInt(bytes[i]!);
  const signed = BigInt.asIntN(bytes.length * 8, value);
  const exact = signed >= BigInt(Number.MIN_SAFE_INTEGER) && signed <= BigInt(Number.MAX_SAFE_INTEGER);
  return exact ? Number(signed) : signed;
}
