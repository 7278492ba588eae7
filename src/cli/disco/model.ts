import { bad, quote } from "../../errors.js";
import type { Gpu } from "../../gpu/device.js";
import { type DiscoModel, loadDisco } from "../../networks/energy/model.js";

/** What a network's file says of the table that it was trained on. */
export interface Table {
  /** Names of the columns; their numbers where the file names none. */
  readonly columns: readonly string[];
  /** The network sees (value - mean) / std. */
  readonly mean: readonly number[];
  readonly std: readonly number[];
}

export async function openDiscoModel(gpu: Gpu, path: string): Promise<{ model: DiscoModel; table: Table }> {
  const model = await loadDisco(gpu, path);
  const { columns, mean, std } = model.config;
  const each = <T>(of: (d: number) => T) => Array.from({ length: model.dims }, (_, d) => of(d));
  return {
    model,
    table: {
      columns: columns ?? each(String),
      mean: mean ?? each(() => 0),
      std: std ?? each(() => 1),
    },
  };
}

/** A number in the units of the table, as the network sees it. */
export const standardised = ({ mean, std }: Table, d: number, value: number) => (value - mean[d]!) / std[d]!;

/**
 * `--given`: columns and their values, as in `0=1.75,2=-0.3` or `age=41,height=1.8`.
 * @returns pairs, in the order given
 */
export function parseGiven(text: string): [column: string, value: number][] {
  return text.split(",").map((part) => {
    const at = part.lastIndexOf("=");
    const [column, value] = [part.slice(0, at).trim(), part.slice(at + 1).trim()];
    const number = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(value) ? Number(value) : Number.NaN;
    if (at < 1 || !Number.isFinite(number))
      throw bad(`--given ${quote(text)}: ${quote(part.trim())} must be a column and a number, such as 0=1.75`);
    return [column, number];
  });
}

/** Columns that are given, by number, and their values as the network sees them. */
export function givenOf(pairs: readonly (readonly [string, number])[], table: Table) {
  const { columns } = table;
  const indices = pairs.map(([name]) => {
    const named = columns.indexOf(name);
    const at = named >= 0 ? named : /^\d+$/.test(name) ? Number(name) : -1;
    if (at < 0 || at >= columns.length) {
      const known = columns.length <= 12 ? `: it has ${columns.join(", ")}` : `; it has ${columns.length}`;
      throw bad(`--given: the model has no column ${quote(name)}${known}`);
    }
    return at;
  });
  const twice = indices.find((d, i) => indices.indexOf(d) !== i);
  if (twice !== undefined) throw bad(`--given names column ${quote(columns[twice]!)} twice`);
  return { indices, values: pairs.map(([, value], i) => standardised(table, indices[i]!, value)) };
}

/**
 * Values outside of what the network was trained on, in the table's own words.
 * @returns a sentence for each that lies a little outside: there the network guesses
 * @throws BAD_ARGUMENT as the samplers do, a quarter of the range beyond it
 */
export function checkSeen(
  { indices, values }: ReturnType<typeof givenOf>,
  { columns, mean, std }: Table,
  { box_low: low, box_high: high }: DiscoModel["config"],
): string[] {
  if (!low || !high) return [];
  return indices.flatMap((d, k) => {
    const value = values[k]!;
    if (value >= low[d]! && value <= high[d]!) return [];
    const plain = (v: number) => `${Number((v * std[d]! + mean[d]!).toPrecision(4))}`;
    const what = `--given ${columns[d]}=${plain(value)} lies`;
    const seen = `outside of what the model has seen, about ${plain(low[d]!)} to ${plain(high[d]!)}`;
    const slack = (high[d]! - low[d]!) / 4;
    if (!(value >= low[d]! - slack && value <= high[d]! + slack)) throw bad(`${what} far ${seen}`);
    return [`${what} ${seen}: the samples there are a guess`];
  });
}

/** Refuses a network that the sampler cannot take. @throws BAD_ARGUMENT */
export function checkSampler(path: string, { conditional, energy }: DiscoModel, sampler: string): void {
  if (conditional)
    throw bad(`--model ${quote(path)} takes noise levels: a diffusion model, for disco compare --diffusion alone`);
  if (!energy && sampler !== "ula")
    throw bad(`--model ${quote(path)} gives scores and no energy: take --sampler ula, or train without --direct`);
}
