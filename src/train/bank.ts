import { bad } from "../errors.js";
import type { Gpu } from "../gpu/device.js";
import type { Region } from "../graph/program.js";

/**
 * What an entry is to training: weights are normalised row by row, mixing weights are clipped to [0, 1], gains are neither;
 * buffers have no gradient.
 */
export type ParameterKind = "weight" | "gain" | "mix" | "buffer";

export interface Entry {
  readonly name: string;
  readonly shape: readonly number[];
  readonly kind: ParameterKind;
  /** First value in the bank, and how many. */
  readonly offset: number;
  readonly length: number;
  /** One row per output channel. */
  readonly rows: number;
  readonly rowLength: number;
}

/** Entries begin at multiples of this many values: 256 bytes, so that each can be bound by itself on any adapter. */
const ALIGNMENT = 64;

/** Kinds by the reference's state-dict names. */
const KINDS: readonly (readonly [RegExp, ParameterKind])[] = [
  [/(^|\.)additional_(x|skips)_weight$/, "mix"],
  [/(^|[._])gain$/, "gain"],
  [/(^|\.)(freqs|phases|resample_filter)$/, "buffer"],
  [/(^|\.)weight$/, "weight"],
];

/** By the tensor's name; undefined for one that networks of the reference do not have. */
export const kindOf = (name: string): ParameterKind | undefined => KINDS.find(([pattern]) => pattern.test(name))?.[1];

/** Where every tensor of a network lies in a bank, in the order given. Padding between entries is 0. */
export class BankLayout {
  readonly entries: readonly Entry[];
  /** Values of a bank, padding included: a multiple of 64. */
  readonly elements: number;
  readonly #byName: ReadonlyMap<string, Entry>;

  /** @param shapes extents by state-dict name */
  constructor(shapes: Iterable<readonly [name: string, shape: readonly number[]]>) {
    let offset = 0;
    this.entries = Array.from(shapes, ([name, shape]) => {
      const kind = kindOf(name);
      if (!kind) throw bad(`${name} is no parameter's name that training knows.`);
      const length = shape.reduce((a, b) => a * b, 1);
      if (!(Number.isSafeInteger(length) && length > 0)) throw bad(`${name} has the extents [${shape}]: it is empty.`);
      const rows = kind === "weight" ? shape[0]! : 1;
      const entry = { name, shape, kind, offset, length, rows, rowLength: length / rows };
      offset += padded(length);
      return entry;
    });
    this.elements = offset;
    this.#byName = new Map(this.entries.map((entry) => [entry.name, entry]));
    if (this.#byName.size === 0) throw bad("There is no parameter to train.");
    if (this.#byName.size < this.entries.length) throw bad("A parameter's name stands twice.");
  }

  /** @throws BAD_ARGUMENT naming what is missing */
  entry(name: string): Entry {
    const entry = this.#byName.get(name);
    if (!entry) throw bad(`There is no parameter ${name}.`);
    return entry;
  }

  /**
   * A bank in parts of at most `largest` values, for devices that bind no more at once. A row is never cut.
   * @throws BAD_ARGUMENT naming the tensor of which so few values hold no whole rows
   */
  parts(largest: number): BankPart[] {
    const cuts = [0];
    for (const { name, kind, offset, length, rowLength } of this.entries) {
      // Parts begin where rows and places that can be bound fall together.
      const step = kind === "weight" ? (rowLength * ALIGNMENT) / gcd(rowLength, ALIGNMENT) : ALIGNMENT;
      for (let start = cuts.at(-1)!; offset + padded(length) - start > largest; start = cuts.at(-1)!) {
        const whole = Math.floor((start + largest - offset) / step);
        const cut = offset + Math.max(0, whole) * step;
        if (cut <= start) throw bad(`The rows of ${name} do not fit parts of ${largest} values.`);
        cuts.push(cut);
      }
    }
    return cuts.map((first, i) => {
      const elements = (cuts[i + 1] ?? this.elements) - first;
      const inside = (place: number) => place >= first && place < first + elements;
      const mixes: number[] = [];
      for (const { kind, offset, length } of this.entries)
        if (kind === "mix") for (let at = offset; at < offset + length; at++) if (inside(at)) mixes.push(at - first);
      return { first, elements, mixes: Uint32Array.from(mixes) };
    });
  }
}

/** A part of a bank that is bound at once; places count from its beginning. */
export interface BankPart {
  /** Where it begins, and its values: multiples of 64. */
  readonly first: number;
  readonly elements: number;
  /** Every mixing weight's place, as `clip-entries` reads it. */
  readonly mixes: Uint32Array;
}

const padded = (length: number) => Math.ceil(length / ALIGNMENT) * ALIGNMENT;

function gcd(a: number, b: number): number {
  return b === 0 ? a : gcd(b, a % b);
}

/** Values that a device binds at once. */
export const largestPart = (gpu: Gpu): number => {
  const { maxStorageBufferBindingSize, maxBufferSize } = gpu.device.limits;
  return Math.floor(Math.min(maxStorageBufferBindingSize, maxBufferSize) / (4 * ALIGNMENT)) * ALIGNMENT;
};

/** One value for every value of a layout, in one buffer on the GPU: parameters, gradients, moments, averages. All 0 at first. */
export class Bank {
  readonly gpu: Gpu;
  readonly layout: BankLayout;
  readonly buffer: GPUBuffer;
  /** How often values came from elsewhere than from kernels. */
  uploads = 0;

  constructor(gpu: Gpu, label: string, layout: BankLayout) {
    this.gpu = gpu;
    this.layout = layout;
    this.buffer = gpu.storage(label, 4 * layout.elements);
    this.clear();
  }

  /** A part of it, to be bound. */
  region({ first, elements }: Pick<BankPart, "first" | "elements">): Region {
    return { buffer: this.buffer, offset: 4 * first, size: 4 * elements };
  }

  /** Sets everything to 0. */
  clear(): void {
    this.#submit((encoder) => encoder.clearBuffer(this.buffer));
  }

  copyFrom(other: Bank): void {
    this.#submit((encoder) => encoder.copyBufferToBuffer(other.buffer, 0, this.buffer, 0, 4 * this.layout.elements));
  }

  /**
   * Writes the tensors given; the others keep their values.
   * @throws BAD_ARGUMENT, and then writes none, naming one that there is not, or whose values are not as many in f32
   */
  upload(tensors: ReadonlyMap<string, Float32Array>): void {
    this.check(tensors);
    this.uploads++;
    for (const [name, values] of tensors) this.gpu.write(this.buffer, values, 4 * this.layout.entry(name).offset);
  }

  /** What `upload` throws for. */
  check(tensors: ReadonlyMap<string, Float32Array>): void {
    for (const [name, values] of tensors) {
      const { length, shape } = this.layout.entry(name);
      if (!(values instanceof Float32Array) || values.length !== length)
        throw bad(
          `The parameter ${name} [${shape}] must be a Float32Array of ${length} values, got ${(values as Float32Array)?.length}.`,
        );
    }
  }

  /** All tensors as they stand now, by name. */
  async download(): Promise<Map<string, Float32Array>> {
    const all = await this.gpu.readF32(this.buffer, this.layout.elements);
    return new Map(this.layout.entries.map(({ name, offset, length }) => [name, all.slice(offset, offset + length)]));
  }

  destroy(): void {
    this.gpu.destroyBuffer(this.buffer);
  }

  #submit(record: (encoder: GPUCommandEncoder) => void): void {
    this.gpu.check();
    const encoder = this.gpu.device.createCommandEncoder();
    record(encoder);
    this.gpu.device.queue.submit([encoder.finish()]);
  }
}
