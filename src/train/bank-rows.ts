import { type RowRange, STATE_HEAD, stateLength, WEIGHT_ROW } from "../../kernels/lib/bank-rows.js";
import type { Bank, BankLayout, BankPart } from "./bank.js";

/** Rows of one part of a bank that are taken alike, as the kernels over rows want them. */
export interface PartRange {
  readonly part: BankPart;
  readonly range: RowRange;
  /** They are rows of weights, all of them or none. */
  readonly weights: boolean;
}

/** Where the scales of weights' rows begin: multiples of this many values, so that each weight's can be bound by themselves. */
const PLACES = 64;

/**
 * All rows of a bank, for the kernels that have a workgroup for each: of weights one per output channel, of every other entry one
 * in all, with the padding behind it. Rows of a part that are taken alike stand side by side.
 */
export class RowTable {
  /** [rows][4]: first value in the part that holds it, values, place of its scale, whether it is one of a weight. */
  readonly table: Uint32Array<ArrayBuffer>;
  readonly ranges: readonly PartRange[];
  readonly rows: number;
  /** Of scales, and where those of each weight begin. */
  readonly places: number;
  readonly placeOf: ReadonlyMap<string, number>;
  /** The first row of each entry, and of weights all in order. */
  readonly rowsOf: ReadonlyMap<string, readonly number[]>;

  constructor(layout: BankLayout, parts: readonly BankPart[]) {
    const placeOf = new Map<string, number>();
    let places = 0;
    for (const { name, kind, rows } of layout.entries) {
      if (kind !== "weight") continue;
      placeOf.set(name, places);
      places += Math.ceil(rows / PLACES) * PLACES;
    }
    const rowsOf = new Map<string, number[]>(layout.entries.map(({ name }) => [name, []]));
    const table: number[] = [];
    const rows = () => table.length / 4;
    const pending: (Omit<PartRange, "range"> & { range: Omit<RowRange, "rows"> })[] = [];
    for (const part of parts) {
      const end = part.first + part.elements;
      const of = { 1: [], 4: [], other: [] } as Record<1 | 4 | "other", [name: string, row: number[]][]>;
      for (const { name, kind, offset, length, rowLength } of layout.entries) {
        if (kind === "weight") {
          for (let at = offset; at < offset + length; at += rowLength) {
            if (at < part.first || at >= end) continue;
            const place = placeOf.get(name)! + (at - offset) / rowLength;
            of[rowLength % 4 === 0 ? 4 : 1].push([name, [at - part.first, rowLength, place, WEIGHT_ROW]]);
          }
          continue;
        }
        const [from, to] = [Math.max(offset, part.first), Math.min(offset + length, end)];
        // In whole vectors: what lies behind it is padding.
        if (from < to) of.other.push([name, [from - part.first, Math.ceil((to - from) / 4) * 4, 0, 0]]);
      }
      for (const [kind, found] of Object.entries(of)) {
        if (found.length === 0) continue;
        const first = rows();
        for (const [name, row] of found) {
          rowsOf.get(name)!.push(rows());
          table.push(...row);
        }
        const values = found.reduce((sum, [, row]) => sum + row[1]!, 0);
        const lanes = kind === "1" ? 1 : 4;
        const range = { elements: part.elements, first, count: found.length, values, lanes } as const;
        pending.push({ part, weights: kind !== "other", range });
      }
    }
    this.table = Uint32Array.from(table);
    this.rows = rows();
    this.ranges = pending.map((each) => ({ ...each, range: { ...each.range, rows: this.rows } }));
    // A network without weights has no scales.
    this.places = Math.max(1, places);
    this.placeOf = placeOf;
    this.rowsOf = rowsOf;
  }
}

/** The rows of a bank of parameters on the GPU: what is known of each, which the values' owner keeps true. */
export class BankRows {
  readonly bank: Bank;
  readonly table: RowTable;
  readonly tableBuffer: GPUBuffer;
  /** As `adam-rows` has it: settings, and of each row RMS (of others the first value), factor, count. */
  readonly state: GPUBuffer;
  /** What has to happen before `state` is read. */
  refresh: (() => Promise<void>) | undefined;

  constructor(bank: Bank, parts: readonly BankPart[]) {
    const { gpu, layout } = bank;
    this.bank = bank;
    this.table = new RowTable(layout, parts);
    this.tableBuffer = gpu.storage("rows", this.table.table.byteLength);
    gpu.write(this.tableBuffer, this.table.table);
    this.state = gpu.storage("state of rows", 4 * stateLength(this.table.rows));
    const state = new Float32Array(stateLength(this.table.rows));
    for (let row = 0; row < this.table.rows; row++) state[4 * (STATE_HEAD + row) + 1] = 1;
    gpu.write(this.state, state);
  }

  /** [rows][4] */
  async readState(): Promise<Float32Array> {
    const all = await this.bank.gpu.readF32(this.state, stateLength(this.table.rows));
    return all.subarray(4 * STATE_HEAD);
  }

  /** Makes all factors 1. */
  async forgetFactors(): Promise<void> {
    const state = await this.readState();
    for (let at = 0; at < state.length; at += 4) state[at + 1] = 1;
    this.bank.gpu.write(this.state, state, 16 * STATE_HEAD);
  }

  /** Fills `state` for values that never change, from the values themselves. */
  describe(tensors: ReadonlyMap<string, ArrayLike<number>>): void {
    const { rows, rowsOf } = this.table;
    const state = new Float32Array(4 * rows);
    for (const { name, kind, rowLength } of this.bank.layout.entries) {
      const values = tensors.get(name)!;
      for (const [i, row] of rowsOf.get(name)!.entries()) {
        let squares = 0;
        if (kind === "weight") for (let k = i * rowLength; k < (i + 1) * rowLength; k++) squares += values[k]! ** 2;
        state.set([kind === "weight" ? Math.sqrt(squares / rowLength) : values[0]!, 1], 4 * row);
      }
    }
    this.bank.gpu.write(this.state, state, 16 * STATE_HEAD);
  }

  destroy(): void {
    this.bank.gpu.destroyBuffer(this.tableBuffer);
    this.bank.gpu.destroyBuffer(this.state);
  }
}
