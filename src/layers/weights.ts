import type { Checkpoint } from "../checkpoint/index.js";
import { narrowF16 } from "../checkpoint/index.js";
import { NcvsdError } from "../errors.js";
import { elementBytes } from "../gpu/contract.js";
import type { Gpu } from "../gpu/device.js";
import { copyBytes, type Graph, type Recipe, type Tensor, tensorBytes } from "../graph/graph.js";
import type { Region } from "../graph/program.js";
import { SharedBuffers } from "../graph/shared-buffers.js";

/** eps of EDM2's `normalize`; it is added to the RMS, unscaled. */
const EPS = 1e-4;

/**
 * Effective weight of an MPConv: every output row normalised to unit RMS, times gain / sqrt(fan-in) (EDM2, eq. 66 and
 * its forced weight normalisation). Weights do not change at inference, so this is done once, in float64.
 * @param raw `[rows, fanIn]` row-major
 */
export function foldWeight(raw: Float32Array, rows: number, gain: number): Float32Array<ArrayBuffer> {
  const fanIn = raw.length / rows;
  const out = new Float32Array(raw.length);
  for (let row = 0; row < rows; row++) {
    let sum = 0;
    for (let i = row * fanIn; i < (row + 1) * fanIn; i++) sum += raw[i]! * raw[i]!;
    const factor = gain / Math.sqrt(fanIn) / (EPS + Math.sqrt(sum / fanIn));
    for (let i = row * fanIn; i < (row + 1) * fanIn; i++) out[i] = raw[i]! * factor;
  }
  return out;
}

/** Recipe of a folded and packed MPConv weight: `factor` multiplies the gain tensor, where there is one. */
export function foldRecipe(
  weight: string,
  rows: number,
  options: { gain?: string | undefined; factor?: number; pack?: (folded: Float32Array) => Float32Array },
): Recipe {
  const { gain, factor = 1, pack } = options;
  return {
    sources: gain === undefined ? [weight] : [weight, gain],
    make([raw, gainValue]) {
      const folded = foldWeight(raw!, rows, factor * (gainValue?.[0] ?? 1));
      return pack ? pack(folded) : folded;
    },
  };
}

/** Recipe of a tensor used as stored. */
export function plainRecipe(name: string): Recipe {
  return { sources: [name], make: ([values]) => values! };
}

/** The driver copies what is written and keeps the copy until the GPU has it: no more than this many bytes at a time. */
const STAGING = 32 * 2 ** 20;

/** Buffers are whole vec4s. */
function padded(bytes: Uint8Array): Uint8Array {
  if (bytes.length % 16 === 0) return bytes;
  const whole = new Uint8Array(Math.ceil(bytes.length / 16) * 16);
  whole.set(bytes);
  return whole;
}

/** Where raw weights come from: a checkpoint, or tensors in memory. */
export type WeightSource = Pick<Checkpoint, "readF32">;

const partKey = (name: string, { length, type }: Tensor, sources: readonly string[]) =>
  [name, length, type, sources].join();

/** The packed weights of one model on one device, shared by all its plans and held once. */
export class WeightStore extends SharedBuffers {
  /** Copies beside others, by their own names and what they are made of: parts of their buffers. */
  readonly #parts = new Map<string, Region>();
  readonly #source: WeightSource;
  /** Bytes written since the device was last waited for. */
  #staged = 0;

  constructor(gpu: Gpu, source: WeightSource) {
    super(gpu, "The network");
    this.#source = source;
  }

  /**
   * Reads, folds, packs and uploads every constant of `graph` that is not there yet, one at a time, large ones in pieces. One that
   * lies beside others already is taken from there.
   */
  async load(graph: Graph, onProgress?: (done: number, total: number) => void): Promise<void> {
    const release = this.hold();
    try {
      await this.#load(graph, onProgress);
    } catch (error) {
      // Who closes it closes the file under what is being read, too.
      this.check();
      throw error;
    } finally {
      release();
    }
  }

  async #load(graph: Graph, onProgress?: (done: number, total: number) => void): Promise<void> {
    const recipeOf = (tensor: Tensor | undefined) => tensor && graph.recipes.get(tensor.name);
    const there = (tensor: Tensor) => this.buffers.has(tensor.name) || this.#shares(tensor, recipeOf(tensor)!);
    const wanted = graph.tensors.filter((tensor) => tensor.kind === "constant" && !there(tensor));
    const read = new Map<string, Float32Array>();
    for (const [done, tensor] of wanted.entries()) {
      onProgress?.(done, wanted.length);
      const recipe = recipeOf(tensor)!;
      const buffer = await this.gpu.scoped(`Loading ${tensor.name}`, () =>
        this.gpu.storage(tensor.name, tensorBytes(tensor, this.gpu.precision)),
      );
      try {
        // The parts of a large layer are made of the same tensors; otherwise what was read may go before the rest is made.
        const next = recipeOf(wanted[done + 1]);
        const again = new Set((next?.copies ?? (next ? [next] : [])).flatMap((copy) => copy.sources));
        for (const [copy, { sources: names }] of (recipe.copies ?? [recipe]).entries()) {
          const sources: Float32Array[] = [];
          for (const name of names) {
            const values = read.get(name) ?? (await this.#source.readF32(name, { weights: true }));
            sources.push(values);
            if (again.has(name)) read.set(name, values);
            else read.delete(name);
          }
          const pieces = recipe.pieces?.(sources) ?? [recipe.make(sources)];
          sources.length = 0;
          await this.#fill(tensor, buffer, copy, pieces, names[0]!);
        }
      } catch (error) {
        this.gpu.destroyBuffer(buffer);
        throw error;
      }
      // Who loads at the same time may have been faster.
      if (this.buffers.has(tensor.name)) this.gpu.destroyBuffer(buffer);
      else this.#keep(tensor, recipe, buffer);
    }
    onProgress?.(wanted.length, wanted.length);
  }

  #keep(tensor: Tensor, { copies = [] }: Recipe, buffer: GPUBuffer): void {
    this.buffers.set(tensor.name, buffer);
    const offset = copyBytes(tensor, this.gpu.precision);
    const size = tensorBytes({ ...tensor, copies: 1 }, this.gpu.precision);
    for (const [i, { name, sources }] of copies.entries())
      this.#parts.set(partKey(name, tensor, sources), { buffer, offset: i * offset, size });
  }

  /** Whether a constant is one of several copies that are there; it is among the buffers then. */
  #shares(tensor: Tensor, { sources }: Recipe): boolean {
    const part = this.#parts.get(partKey(tensor.name, tensor, sources));
    if (part) this.buffers.set(tensor.name, part);
    return !!part;
  }

  async #fill(
    tensor: Tensor,
    buffer: GPUBuffer,
    copy: number,
    pieces: Iterable<Float32Array>,
    source: string,
  ): Promise<void> {
    const start = copy * copyBytes(tensor, this.gpu.precision);
    let length = 0;
    for (const piece of pieces) {
      if (length + piece.length <= tensor.length) await this.#upload(tensor, buffer, piece, start, length);
      length += piece.length;
    }
    if (length === tensor.length) return;
    throw new NcvsdError(
      "BAD_CHECKPOINT",
      `The tensor ${source} gives ${length} values where the network needs ${tensor.length}.`,
    );
  }

  /** Writes values from element `first` of the copy at byte `start` on; waits whenever too much is on its way. */
  async #upload(tensor: Tensor, buffer: GPUBuffer, values: Float32Array, start: number, first: number): Promise<void> {
    const size = elementBytes(tensor.type, this.gpu.precision);
    const stored = size === 2 ? narrowF16(values) : values;
    const bytes = padded(new Uint8Array(stored.buffer, stored.byteOffset, stored.byteLength));
    for (let at = 0; at < bytes.length; at += STAGING) {
      const piece = bytes.subarray(at, at + STAGING);
      this.gpu.write(buffer, piece, start + size * first + at);
      this.#staged += piece.length;
      if (this.#staged < STAGING) continue;
      this.gpu.flushDestroyed();
      await this.gpu.idle();
      this.#staged = 0;
    }
  }
}
