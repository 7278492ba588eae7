import { readFileSync } from "node:fs";
import { widenF16 } from "../../src/checkpoint/half.js";
import { fixturePath } from "./fixtures.js";

/** A recording read as it lies: doubles stay doubles and NaN is a value, unlike in a checkpoint. */
export class RawTensors {
  readonly metadata: Record<string, string>;
  readonly shapes = new Map<string, readonly number[]>();
  readonly #values = new Map<string, () => Float64Array>();

  constructor(name: string) {
    const bytes = readFileSync(fixturePath(name));
    const length = Number(bytes.readBigUInt64LE(0));
    const { __metadata__ = {}, ...tensors } = JSON.parse(bytes.toString("utf8", 8, 8 + length));
    this.metadata = __metadata__;
    for (const [key, { dtype, shape, data_offsets }] of Object.entries<Header>(tensors)) {
      const [from, to] = data_offsets;
      const part = () => new Uint8Array(bytes.subarray(8 + length + from, 8 + length + to)).buffer;
      this.shapes.set(key, shape);
      this.#values.set(key, () => {
        if (dtype === "F64") return new Float64Array(part());
        if (dtype === "F32") return Float64Array.from(new Float32Array(part()));
        if (dtype === "I32") return Float64Array.from(new Int32Array(part()));
        if (dtype === "U8") return Float64Array.from(new Uint8Array(part()));
        if (dtype === "F16") return Float64Array.from(widenF16(new Uint16Array(part())));
        throw new Error(`${name}: ${key} is ${dtype}`);
      });
    }
  }

  get names(): string[] {
    return [...this.shapes.keys()];
  }

  has(name: string): boolean {
    return this.shapes.has(name);
  }

  values(name: string): Float64Array {
    const read = this.#values.get(name);
    if (!read) throw new Error(`there is no ${name}`);
    return read();
  }

  f32(name: string): Float32Array {
    return Float32Array.from(this.values(name));
  }
}

interface Header {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly data_offsets: readonly [number, number];
}
