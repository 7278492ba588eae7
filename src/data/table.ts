import { extname } from "node:path";
import { parse } from "csv-parse/sync";
import { bad, NcvsdError, quote } from "../errors.js";
import { readArray, readInput } from "./arrays.js";
import type { Points } from "./points.js";

/** A number as tables have it. */
const NUMBER = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;

/**
 * A table of numbers from a file: a NumPy array [rows, columns], or comma-separated values, whose first line may name the columns. Every
 * column is standardised.
 * @throws BAD_ARGUMENT naming the line and column of what is no finite number, for a single column, few rows, or one that does not vary
 */
export async function tablePoints(path: string): Promise<Points> {
  const kind = extname(path).toLowerCase();
  if (kind === ".csv") return standardised(path, csvTable(path));
  if (kind !== ".npy") throw bad(`--data ${path} is neither a .npy nor a .csv file`);
  const { shape, values } = await readArray(path, []);
  if (shape.length !== 2)
    throw bad(`${path} is an array of shape (${shape.join(", ")}): rows of columns are needed, (rows, columns)`);
  return standardised(path, { values, dims: shape[1]! });
}

interface Table {
  readonly values: ArrayLike<number>;
  readonly dims: number;
  readonly columns?: readonly string[];
}

function csvTable(path: string): Table {
  const text = new TextDecoder().decode(readInput(path));
  let lines: string[][];
  try {
    lines = parse(text, { bom: true, skip_empty_lines: true, trim: true });
  } catch (cause) {
    throw bad(`${path} is no table of comma-separated values: ${(cause as Error).message}`, cause);
  }
  const [head] = lines;
  if (!head) throw bad(`${path} is empty`);
  const named = head.some((cell) => !NUMBER.test(cell));
  const columns = named ? head : undefined;
  const twice = columns?.find((name, i) => columns.indexOf(name) !== i);
  if (twice !== undefined) throw bad(`${path} has two columns called ${quote(twice)}`);
  const rows = lines.slice(named ? 1 : 0);
  const values = new Float64Array(rows.length * head.length);
  rows.forEach((row, i) => {
    row.forEach((cell, d) => {
      if (!NUMBER.test(cell))
        throw bad(
          `${path}: row ${i + 1} has ${cell === "" ? "nothing" : quote(cell)} in column ${quote(columns?.[d] ?? String(d))}: only numbers are read; leave such rows or columns out`,
        );
      values[i * head.length + d] = Number(cell);
    });
  });
  return { values, dims: head.length, ...(columns ? { columns } : {}) };
}

function standardised(path: string, { values, dims, columns }: Table): Points {
  const rows = values.length / dims;
  const name = (d: number) => quote(columns?.[d] ?? String(d));
  if (dims < 2) throw bad(`${path} has one column: there is nothing to condition it on; give at least two`);
  if (rows < 16) throw bad(`${path} has ${rows} rows: a score cannot be learnt from fewer than 16`);
  const at = Array.prototype.findIndex.call(values, (value: number) => !Number.isFinite(value));
  if (at >= 0)
    throw new NcvsdError(
      "BAD_ARGUMENT",
      `${path}: row ${Math.floor(at / dims)} has ${values[at]} in column ${name(at % dims)}: leave such rows out`,
    );
  const [mean, std]: [number[], number[]] = [[], []];
  const out = new Float32Array(values.length);
  for (let d = 0; d < dims; d++) {
    let sum = 0;
    for (let i = d; i < values.length; i += dims) sum += values[i]!;
    const centre = sum / rows;
    let square = 0;
    for (let i = d; i < values.length; i += dims) square += (values[i]! - centre) ** 2;
    const spread = Math.sqrt(square / rows);
    if (!Number.isFinite(spread))
      throw bad(`${path}: column ${name(d)} has numbers too large to standardise: divide it by its size`);
    if (!(spread > 1e-12 * Math.abs(centre)) || spread === 0)
      throw bad(`${path}: column ${name(d)} is ${values[d]} in every row: leave it out`);
    mean.push(centre);
    std.push(spread);
    for (let i = d; i < values.length; i += dims) out[i] = (values[i]! - centre) / spread;
  }
  return { values: out, dims, mean, std, ...(columns ? { columns } : {}) };
}
