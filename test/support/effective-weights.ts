import { role, STATE_HEAD, stateLength, WEIGHT_ROW } from "../../kernels/lib/bank-rows.js";
import { adamRows } from "../../kernels/training/adam-rows/kernel.js";
import { gainGradients } from "../../kernels/training/gain-gradients/kernel.js";
import { normalizeRows } from "../../kernels/training/normalize-rows/kernel.js";
import { rowGradients } from "../../kernels/training/row-gradients/kernel.js";
import { rowScales } from "../../kernels/training/row-scales/kernel.js";
import type { Gpu } from "../../src/gpu/device.js";
import { Graph, type Tensor } from "../../src/graph/graph.js";
import type { EffectiveWeight } from "../../src/layers/trained.js";
import { evaluate } from "./evaluate.js";

type Values = ArrayLike<number>;

/**
 * A weight and its gain as a training keeps them: their rows, by the training's kernels; in float64 by those' references. What a row is
 * multiplied by besides, factor / sqrt(its length), is multiplied here: kernels are given it in f32.
 */
export class StoredRows {
  readonly weight: EffectiveWeight;
  /** What multiplies the rows of the values given to make the effective weight. */
  readonly scales: Values;
  /** The values, normalised where that is asked for. */
  readonly stored: Values;
  readonly #gpu: Gpu | undefined;
  readonly #given: ReadonlyMap<string, Values>;

  private constructor(
    gpu: Gpu | undefined,
    weight: EffectiveWeight,
    scales: Values,
    stored: Values,
    given: ReadonlyMap<string, Values>,
  ) {
    this.#gpu = gpu;
    this.weight = weight;
    this.scales = scales;
    this.stored = stored;
    this.#given = given;
  }

  /** @param train whether rows are normalised first */
  static async of(
    gpu: Gpu | undefined,
    weight: EffectiveWeight,
    name: string,
    values: (name: string) => Values,
    train = false,
  ): Promise<StoredRows> {
    const { rows, length, gainPlace, elements, lanes, constant } = sizesOf(weight);
    const w = new Float64Array(elements);
    w.set(Array.from(values(name)));
    if (weight.gain !== undefined) w[gainPlace] = values(weight.gain)[0]!;
    const gainRow = weight.gain === undefined ? undefined : rows;
    const table = Array.from({ length: rows }, (_, i) => [i * length, length, i, WEIGHT_ROW]);
    const state = new Float64Array(stateLength(rows + 1));
    for (let row = 0; row <= rows; row++) state[4 * (STATE_HEAD + row) + 1] = 1;
    const given = new Map<string, Values>([
      ["table", [...table.flat(), gainPlace, 4, 0, 0]],
      ["roles", Array.from({ length: rows + 1 }, (_, i) => (i < rows ? role(1, gainRow) : [0, 0])).flat()],
      ["state", state],
      ["w", w],
      ...["g", "m", "v"].map((bank) => [bank, new Float64Array(elements)] as const),
      ["scales", new Float64Array(rows)],
    ]);
    const { graph, tensors } = bench(given);
    const { table: about, state: known, roles, scales, ...banks } = tensors as Record<string, Tensor>;
    const range = { elements, rows: rows + 1, first: 0, count: rows + 1, values: elements, lanes, averages: 0 };
    graph.run("measure", adamRows, range, { ...banks, table: about, state: known }, {});
    if (train) graph.run("normalise", normalizeRows, { rows: rows + 1 }, { table: about, state: known }, {});
    const places = { rows: rows + 1, places: rows };
    graph.run("scales", rowScales, places, { table: about, roles, state: known, scales }, {});
    const [found, after] = await evaluate(gpu, graph, given, [scales!, known!]);
    const stored = Array.from(w.subarray(0, rows * length), (x, i) => x * factorOf(after!, Math.floor(i / length)));
    const scaled = Array.from(found!, (scale) => scale * constant);
    return new StoredRows(gpu, weight, scaled, stored, new Map([...given, ["state", after!]]));
  }

  /** From the gradient of the effective weight those of the stored one and of its gain. */
  async gradients(gradient: Values): Promise<{ dw: Values; dgain: number }> {
    const { rows, length, gainPlace, elements, lanes, constant } = sizesOf(this.weight);
    const g = new Float64Array(elements);
    g.set(Array.from(gradient));
    const given = new Map([
      ...this.#given,
      ["g", g],
      ["dgain", new Float64Array(rows)],
      ["gains", [0, rows, gainPlace, 0]],
    ]);
    const { graph, tensors } = bench(given);
    const range = { elements, rows: rows + 1, first: 0, count: rows, values: rows * length, lanes, places: rows };
    graph.run("gradients", rowGradients, range, tensors, {});
    if (this.weight.gain !== undefined)
      graph.run("gain", gainGradients, { elements, count: 1, places: rows }, tensors, {});
    const [found] = await evaluate(this.#gpu, graph, given, [tensors.g!]);
    const all = Array.from(found!, (x) => x * constant);
    return { dw: all.slice(0, rows * length), dgain: all[gainPlace]! };
  }
}

/** A bank of the weight's rows, and behind them its gain. */
function sizesOf({ w, factor }: EffectiveWeight) {
  const rows = w.shape[0]!;
  const length = w.length / rows;
  const gainPlace = 4 * Math.ceil(w.length / 4);
  const lanes: 1 | 4 = length % 4 === 0 ? 4 : 1;
  return { rows, length, gainPlace, elements: gainPlace + 4, lanes, constant: factor / Math.sqrt(length) };
}

const factorOf = (state: Values, row: number) => state[4 * (STATE_HEAD + row) + 1]!;

/** A graph with an external tensor for each array. */
function bench(given: ReadonlyMap<string, Values>) {
  const graph = new Graph();
  const whole = new Set(["table", "roles", "gains"]);
  const tensors = Object.fromEntries(
    Array.from(given, ([name, { length }]) => [name, graph.external(name, [length], whole.has(name) ? "u32" : "f32")]),
  );
  return { graph, tensors };
}
