import { packBox } from "../../../kernels/lib/free-box.js";
import { bad, checkKeys } from "../../errors.js";
import type { Density } from "./density.js";
import { integerOf } from "./settings.js";

/** Numbers, flat or row by row. */
export type Values = ArrayLike<number> | readonly ArrayLike<number>[];

/** What is observed: values of one run (for all), or one row per run. */
export interface Given {
  /** Different coordinates, from 0; not all of them. */
  readonly indices: ArrayLike<number>;
  readonly values: Values;
}

/** One wall for all coordinates, or one per coordinate: of all, or of the unobserved ones alone. */
type Wall = number | ArrayLike<number>;

/** Walls of the region that is sampled. */
export type Box = readonly [low: Wall, high: Wall] | { readonly low: Wall; readonly high: Wall };

/** The walls of a density that knows none, meant for standardised data. */
const DEFAULT_WALL = 3;
/** Runs of one call at most. */
const MAX_RUNS = 2 ** 22;
/** No walls at all. */
const NO_WALL = 3.4e38;

/** What a run holds fast and what moves, checked. */
export interface Clamp {
  readonly runs: number;
  /** The unobserved coordinates, ascending. */
  readonly free: readonly number[];
  /** runs x dims: observed values at their coordinates, 0 at the others. */
  readonly values: Float32Array<ArrayBuffer>;
  /** Walls of the unobserved coordinates. */
  readonly low: Float32Array<ArrayBuffer>;
  readonly high: Float32Array<ArrayBuffer>;
  /** Indices and walls as the kernels want them. */
  readonly box: Uint32Array<ArrayBuffer>;
}

/** Refuses what is no density of the data; `scores`: a score without an energy will do. */
export function checkDensity(call: string, model: Density, scores = false): void {
  if (model.conditional)
    throw bad(
      `${call}: the network takes noise levels as labels, so it is no density of the data: use sampleDiffusion.`,
    );
  if (!model.energy && !scores)
    throw bad(`${call}: the network gives a score alone and no energy: train one with energy: true, or use sampleUla.`);
}

/** Coordinates that are observed, and the others, ascending. */
function coordinatesOf(call: string, dims: number, indices: ArrayLike<number>) {
  const seen = Array.from(indices);
  seen.forEach((d, at) => {
    if (!Number.isInteger(d) || d < 0 || d >= dims || seen.indexOf(d) !== at)
      throw bad(`${call}: given.indices must be different integers from 0 to ${dims - 1}, got ${seen.join(", ")}.`);
  });
  if (seen.length === dims)
    throw bad(`${call}: all ${dims} coordinates are given, none is left to sample: leave at least one out.`);
  return { seen, free: Array.from({ length: dims }, (_, d) => d).filter((d) => !seen.includes(d)) };
}

/** Observed values as rows. */
export function rowsOfGiven(call: string, { values }: Given, count: number): number[][] {
  if (typeof values !== "object" || values === null || typeof values.length !== "number")
    throw bad(`${call}: given.values must be an array of numbers, got ${String(values)}.`);
  const flat = Array.from(values as ArrayLike<number | ArrayLike<number>>).flatMap((v) =>
    typeof v === "number" ? [v] : Array.from(v),
  );
  if (count === 0 ? flat.length > 0 : flat.length === 0 || flat.length % count !== 0)
    throw bad(`${call}: given.values holds ${flat.length} values, which is no multiple of ${count}, the indices.`);
  const at = flat.findIndex((v) => !Number.isFinite(v));
  if (at >= 0) throw bad(`${call}: given.values holds ${flat[at]} at index ${at}: every value must be finite.`);
  return Array.from({ length: count === 0 ? 1 : flat.length / count }, (_, r) =>
    flat.slice(r * count, (r + 1) * count),
  );
}

/**
 * Coordinates that are observed and those that are not, and the observed values of every run.
 * @throws BAD_ARGUMENT
 */
export function observedOf(
  call: string,
  dims: number,
  { given, runs }: { readonly given?: Given | undefined; readonly runs?: number | undefined },
) {
  if (given !== undefined) checkKeys(`${call}: given`, given, { indices: true, values: true });
  const { seen, free } = coordinatesOf(call, dims, given?.indices ?? []);
  const rows = given ? rowsOfGiven(call, given, seen.length) : [[]];
  const count = runs ?? rows.length;
  integerOf(call, "runs", count, 1, MAX_RUNS);
  if (rows.length !== 1 && rows.length !== count)
    throw bad(`${call}: given.values has ${rows.length} rows for ${count} runs: give one, or one per run.`);
  const values = Array.from({ length: count }, (_, r) => rows[rows.length === 1 ? 0 : r]!);
  return { runs: count, seen, free, values };
}

/** Walls of every coordinate, one number each; observed ones that have none are unbounded. */
function wallsOf(call: string, dims: number, free: readonly number[], box: Box): { low: number[]; high: number[] } {
  const { low, high } = Array.isArray(box)
    ? { low: box[0] as Wall, high: box[1] as Wall }
    : (box as { readonly low: Wall; readonly high: Wall });
  const each = (name: string, wall: Wall, beyond: number) => {
    const given = typeof wall === "number" ? new Array<number>(dims).fill(wall) : Array.from(wall ?? []);
    const own = given.length === free.length && free.length < dims;
    if ((given.length !== dims && !own) || given.some((v) => !Number.isFinite(v)))
      throw bad(
        `${call}: box.${name} must be a finite number, or one for each of ${dims} coordinates or of ${free.length} unobserved ones.`,
      );
    return own ? Array.from({ length: dims }, (_, d) => (free.includes(d) ? given[free.indexOf(d)]! : beyond)) : given;
  };
  const walls = { low: each("low", low, -NO_WALL), high: each("high", high, NO_WALL) };
  const d = walls.low.findIndex((v, at) => !(v < walls.high[at]!));
  if (d >= 0) throw bad(`${call}: the box of coordinate ${d} is empty: from ${walls.low[d]} to ${walls.high[d]}.`);
  return walls;
}

/** The region that a density is sampled in where nobody says. */
function ownBox({ dims, config: { box_low: low, box_high: high } }: Density): Box {
  if (low && high) return { low, high };
  return { low: new Array<number>(dims).fill(-DEFAULT_WALL), high: new Array<number>(dims).fill(DEFAULT_WALL) };
}

/**
 * Checks what is observed and the box.
 * @param open no walls where no box is given
 * @throws BAD_ARGUMENT; also when an observed value lies further outside of the box than a quarter of its width: the model
 *   has never seen such points
 */
export function clampOf(
  call: string,
  model: Density,
  {
    given,
    box,
    runs,
  }: { readonly given?: Given | undefined; readonly box?: Box | undefined; readonly runs?: number | undefined },
  open = false,
): Clamp {
  const { dims } = model;
  const { runs: count, seen, free, values: rows } = observedOf(call, dims, { given, runs });
  const walls = wallsOf(call, dims, free, box ?? ownBox(model));
  if (!open || box !== undefined) checkInside(call, seen, rows, walls);
  const values = new Float32Array(count * dims);
  for (let r = 0; r < count; r++)
    seen.forEach((d, k) => {
      values[r * dims + d] = rows[r]![k]!;
    });
  const unbounded = open && box === undefined;
  const low = Float32Array.from(free, (d) => (unbounded ? -NO_WALL : walls.low[d]!));
  const high = Float32Array.from(free, (d) => (unbounded ? NO_WALL : walls.high[d]!));
  return { runs: count, free, values, low, high, box: packBox(free, low, high) };
}

function checkInside(
  call: string,
  seen: readonly number[],
  rows: readonly (readonly number[])[],
  { low, high }: { readonly low: readonly number[]; readonly high: readonly number[] },
): void {
  rows.forEach((row, r) => {
    row.forEach((v, k) => {
      const d = seen[k]!;
      const slack = (high[d]! - low[d]!) / 4;
      if (v >= low[d]! - slack && v <= high[d]! + slack) return;
      const where = rows.length > 1 ? ` of run ${r}` : "";
      throw bad(
        `${call}: the condition ${v} on coordinate ${d}${where} lies far outside of the box, ${low[d]} to ${high[d]}: the model knows nothing there.`,
      );
    });
  });
}
