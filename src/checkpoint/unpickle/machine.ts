import type { ByteSource } from "../source.js";
import { build, newObject, reduce } from "./globals.js";
import { type Budget, LIMITS, PickleError } from "./limits.js";
import { OP, refusal } from "./opcodes.js";
import { PickleReader } from "./reader.js";
import { PyBytes, PyDict, PyGlobal, PyList, PyObject, PySet, PyText, PyTuple, type PyValue } from "./values.js";

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
    let at = start;
    try {
      for (;;) {
        if (--budget.opcodes < 0) throw new PickleError(`it takes more than ${LIMITS.opcodes} opcodes`);
        // No opcode has more than eight bytes of fixed arguments.
        if (!reader.has(9)) await reader.fill(9);
        at = reader.position;
        const opcode = reader.u8();
        if (opcode === OP.STOP) return this.#stop();
        const pending = this.#step(opcode);
        if (pending) await pending;
      }
    } catch (error) {
      if (!(error instanceof PickleError) || error.message.includes(" (byte ")) throw error;
      throw new PickleError(`${error.message} (byte ${at})`);
    }
  }

  #stop(): PyValue {
    const value = this.#pop();
    if (this.#stack.length > 0 || this.#marks.length > 0) throw new PickleError("STOP leaves values on the stack");
    return value;
  }

  #push(value: PyValue): void {
    this.#stack.push(value);
  }

  #pop(): PyValue {
    if (this.#stack.length <= (this.#marks.at(-1) ?? 0)) throw new PickleError("an opcode finds the stack empty");
    return this.#stack.pop()!;
  }

  #top(): PyValue {
    if (this.#stack.length <= (this.#marks.at(-1) ?? 0)) throw new PickleError("an opcode finds the stack empty");
    return this.#stack.at(-1)!;
  }

  /** The values since the last mark, which is closed. */
  #popMark(): PyValue[] {
    const mark = this.#marks.pop();
    if (mark === undefined) throw new PickleError("an opcode finds no mark on the stack");
    return this.#stack.splice(mark);
  }

  /** Carries out one opcode; returns a promise only if it has to wait for bytes. */
  #step(opcode: number): Promise<void> | undefined {
    const { reader } = this;
    switch (opcode) {
      case OP.NONE:
        return void this.#push(null);
      case OP.NEWTRUE:
        return void this.#push(true);
      case OP.NEWFALSE:
        return void this.#push(false);
      case OP.BININT:
        return void this.#push(reader.i32());
      case OP.BININT1:
        return void this.#push(reader.u8());
      case OP.BININT2:
        return void this.#push(reader.u16());
      case OP.BINFLOAT:
        return void this.#push(reader.f64BigEndian());
      case OP.LONG1:
        return this.#long(reader.u8());
      case OP.LONG4:
        return this.#long(reader.i32());
      case OP.SHORT_BINUNICODE:
        return this.#text(reader.u8(), "utf8");
      case OP.BINUNICODE:
        return this.#text(reader.u32(), "utf8");
      case OP.BINUNICODE8:
        return this.#text(reader.u64(), "utf8");
      case OP.SHORT_BINSTRING:
        return this.#text(reader.u8(), "latin1");
      case OP.BINSTRING:
        return this.#text(reader.i32(), "latin1");
      case OP.SHORT_BINBYTES:
        return this.#bytes(reader.u8());
      case OP.BINBYTES:
        return this.#bytes(reader.u32());
      case OP.BINBYTES8:
      case OP.BYTEARRAY8:
        return this.#bytes(reader.u64());
      case OP.EMPTY_TUPLE:
        return void this.#push(new PyTuple([]));
      case OP.TUPLE1:
        return void this.#push(new PyTuple([this.#pop()]));
      case OP.TUPLE2: {
        const second = this.#pop();
        return void this.#push(new PyTuple([this.#pop(), second]));
      }
      case OP.TUPLE3: {
        const third = this.#pop();
        const second = this.#pop();
        return void this.#push(new PyTuple([this.#pop(), second, third]));
      }
      case OP.TUPLE:
        return void this.#push(new PyTuple(this.#popMark()));
      case OP.EMPTY_LIST:
        return void this.#push(new PyList());
      case OP.EMPTY_DICT:
        return void this.#push(new PyDict());
      case OP.EMPTY_SET:
        return void this.#push(new PySet());
      case OP.FROZENSET: {
        const set = new PySet();
        for (const item of this.#popMark()) set.append(item);
        return void this.#push(set);
      }
      case OP.APPEND:
        return void this.#append([this.#pop()], false);
      case OP.APPENDS:
        return void this.#append(this.#popMark(), false);
      case OP.ADDITEMS:
        return void this.#append(this.#popMark(), true);
      case OP.SETITEM: {
        const value = this.#pop();
        return void this.#setItems([this.#pop(), value]);
      }
      case OP.SETITEMS:
        return void this.#setItems(this.#popMark());
      case OP.MARK:
        if (this.#marks.length >= LIMITS.nesting) throw new PickleError(`it has ${LIMITS.nesting} open marks`);
        return void this.#marks.push(this.#stack.length);
      case OP.POP:
        if (this.#marks.at(-1) === this.#stack.length) this.#marks.pop();
        else this.#pop();
        return undefined;
      case OP.POP_MARK:
        return void this.#popMark();
      case OP.BINGET:
        return void this.#get(reader.u8());
      case OP.LONG_BINGET:
        return void this.#get(reader.u32());
      case OP.BINPUT:
        return void this.#memo.set(reader.u8(), this.#top());
      case OP.LONG_BINPUT:
        return void this.#memo.set(reader.u32(), this.#top());
      case OP.MEMOIZE:
        return void this.#memo.set(this.#memo.size, this.#top());
      case OP.FRAME: {
        const length = reader.u64();
        if (length > reader.remaining) throw new PickleError(`a frame of ${length} bytes is longer than the file`);
        return undefined;
      }
      case OP.GLOBAL:
        return this.#global();
      case OP.STACK_GLOBAL: {
        const name = this.#pop();
        const module = this.#pop();
        if (typeof name !== "string" || typeof module !== "string")
          throw new PickleError("a global is not named by text");
        return void this.#push(new PyGlobal(module, name));
      }
      case OP.BINPERSID: {
        const id = this.#pop();
        if (!this.persistentLoad) throw new PickleError("persistent ids are refused outside of torch.save containers");
        return void this.#push(this.persistentLoad(id));
      }
      case OP.NEWOBJ: {
        const args = this.#pop();
        return void this.#push(newObject(this.#pop(), args));
      }
      case OP.NEWOBJ_EX: {
        const kwargs = this.#pop();
        const args = this.#pop();
        return void this.#push(newObject(this.#pop(), new PyTuple([args, kwargs])));
      }
      case OP.REDUCE: {
        const args = this.#pop();
        const result = reduce(this.#pop(), args);
        if (result instanceof Promise) return result.then((value) => this.#push(value));
        return void this.#push(result);
      }
      case OP.BUILD: {
        const state = this.#pop();
        return void build(this.#top(), state);
      }
      default:
        throw new PickleError(refusal(opcode));
    }
  }

  #get(index: number): void {
    const value = this.#memo.get(index);
    if (value === undefined) throw new PickleError(`memo entry ${index} was never stored`);
    this.#push(value);
  }

  #append(values: readonly PyValue[], toSet: boolean): void {
    const target = this.#top();
    if (
      toSet
        ? !(target instanceof PySet || target instanceof PyObject)
        : !(target instanceof PyList || target instanceof PyObject)
    ) {
      throw new PickleError(toSet ? "ADDITEMS without a set" : "APPEND without a list");
    }
    for (const value of values) (target as PyList | PySet | PyObject).append(value);
  }

  #setItems(pairs: readonly PyValue[]): void {
    const target = this.#top();
    if (pairs.length % 2 !== 0) throw new PickleError("SETITEMS with a key that has no value");
    for (let i = 0; i < pairs.length; i += 2) {
      if (target instanceof PyDict) target.set(pairs[i]!, pairs[i + 1]!);
      else if (target instanceof PyObject) target.setItem(pairs[i]!, pairs[i + 1]!);
      else throw new PickleError("SETITEMS without a dict");
    }
  }

  #bytes(length: number): undefined {
    const { reader } = this;
    this.#push(new PyBytes(reader.source, reader.skip(length), length));
  }

  #text(length: number, encoding: "utf8" | "latin1"): Promise<void> | undefined {
    const { reader, budget } = this;
    if (length < 0) throw new PickleError(`a string has the length ${length}`);
    if (length > LIMITS.inlineTextBytes) {
      this.#push(new PyText(reader.source, reader.skip(length), length, encoding));
      return undefined;
    }
    budget.spendText(length);
    if (reader.has(length)) return void this.#push(reader.text(length, encoding));
    return reader.fill(length).then(() => this.#push(reader.text(length, encoding)));
  }

  async #long(length: number): Promise<void> {
    const { reader } = this;
    if (length < 0 || length > LIMITS.longBytes) throw new PickleError(`an integer has ${length} bytes`);
    if (!reader.has(length)) await reader.fill(length);
    this.#push(decodeLong(reader.bytes(length)));
  }

  async #global(): Promise<void> {
    const { reader } = this;
    // `has` first: filling again would move the window for every global.
    const needed = 2 * (LIMITS.globalLineBytes + 1);
    if (!reader.has(needed)) await reader.fill(needed);
    const module = reader.line(LIMITS.globalLineBytes);
    const name = reader.line(LIMITS.globalLineBytes);
    this.#push(new PyGlobal(module, name));
  }
}

/** Two's complement, little-endian, no bytes for zero; a number where that is exact. */
export function decodeLong(bytes: Uint8Array): number | bigint {
  let value = 0n;
  for (let i = bytes.length - 1; i >= 0; i--) value = (value << 8n) | BigInt(bytes[i]!);
  const signed = BigInt.asIntN(bytes.length * 8, value);
  const exact = signed >= BigInt(Number.MIN_SAFE_INTEGER) && signed <= BigInt(Number.MAX_SAFE_INTEGER);
  return exact ? Number(signed) : signed;
}
