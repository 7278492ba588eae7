import { Matrix, solve } from "ml-matrix";
import { bad } from "../errors.js";
import { emaExponent } from "./schedule.js";

/** A stored average: its profile's end in images and relative standard deviation, and its parameters. */
export interface EmaSnapshot {
  /** Images seen when it was taken. */
  readonly time: number;
  readonly std: number;
  /** By state-dict name; all snapshots have the same. */
  readonly tensors: ReadonlyMap<string, Float32Array>;
}

type Profile = Pick<EmaSnapshot, "time" | "std">;

/** Inner product of two power-function profiles (Karras et al. 2024, section 3). */
export function profileProduct(x: Profile, y: Profile): number {
  const [early, late] = x.time <= y.time ? [x, y] : [y, x];
  const [a, b] = [emaExponent(early.std), emaExponent(late.std)];
  return ((a + 1) * (b + 1) * (early.time / late.time) ** b) / ((a + b + 1) * late.time);
}

/** Weights of the snapshots whose sum is nearest to the wished profile; they add up to 1, and alternate in sign. */
export function postHocCoefficients(snapshots: readonly Profile[], target: Profile): Float64Array {
  const inner = snapshots.map((x) => snapshots.map((y) => profileProduct(x, y)));
  const wished = snapshots.map((x) => [profileProduct(x, target)]);
  const found = solve(new Matrix(inner), new Matrix(wished)).to1DArray();
  const sum = found.reduce((a, b) => a + b, 0);
  return Float64Array.from(found, (c) => c / sum);
}

/**
 * Parameters as an average of another length would have them, from averages taken along the way (Karras et al. 2024, section
 * 3.2). Snapshots after `time` are left out, and those at 0, which hold the start.
 * @param options std: relative standard deviation wished, 0 < std < 0.2887; time: its end in images, one of the snapshots'
 *   (default: the latest)
 * @returns the weights of all snapshots in the order given (0: left out), and the sums in f32 by name
 * @throws NcvsdError BAD_ARGUMENT for no snapshot, a time that none has, two alike, or tensors that differ
 */
export function reconstructPostHocEma(
  snapshots: readonly EmaSnapshot[],
  { std, time }: { readonly std: number; readonly time?: number },
): { coefficients: Float64Array; tensors: Map<string, Float32Array> } {
  const end = time ?? Math.max(...snapshots.map((s) => s.time));
  const used = snapshots.map((s, i) => ({ ...s, i })).filter((s) => s.time > 0 && s.time <= end);
  if (used.length === 0) throw bad(`there is no snapshot from after the start up to ${end} images: give some.`);
  if (!used.some((s) => s.time === end))
    throw bad(
      `no snapshot was taken at ${end} images: take one of ${[...new Set(used.map((s) => s.time))].join(", ")}.`,
    );
  const twice = used.find((s, i) => used.findIndex((o) => o.time === s.time && o.std === s.std) !== i);
  if (twice) throw bad(`two snapshots are of ${twice.time} images and standard deviation ${twice.std}: leave one out.`);
  const found = postHocCoefficients(used, { std, time: end });
  const coefficients = new Float64Array(snapshots.length);
  const sums = new Map<string, Float64Array>();
  for (const [k, { i, tensors }] of used.entries()) {
    coefficients[i] = found[k]!;
    if (k > 0 && tensors.size !== sums.size)
      throw bad(`snapshots have ${sums.size} and ${tensors.size} tensors: they must be of one network.`);
    for (const [name, values] of tensors) {
      const sum = k === 0 ? new Float64Array(values.length) : sums.get(name);
      if (sum?.length !== values.length)
        throw bad(`the tensor ${name} differs among the snapshots: they must be of one network.`);
      for (let j = 0; j < values.length; j++) sum[j]! += found[k]! * values[j]!;
      sums.set(name, sum);
    }
  }
  return { coefficients, tensors: new Map([...sums].map(([name, sum]) => [name, Float32Array.from(sum)])) };
}
