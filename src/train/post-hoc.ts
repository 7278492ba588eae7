import { Matrix, solve } from "ml-matrix";
import { bad } from "../errors.js";
import { kindOf } from "./bank.js";
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

/** Which snapshots a reconstruction takes, and their weights. */
export interface PostHocPlan {
  /** End of the profile, in images. */
  readonly time: number;
  /** The snapshots taken, by their places in the list given, and the weight of each. */
  readonly used: readonly { readonly index: number; readonly weight: number }[];
  /** The latest one, which buffers are copied from: they are no averages. */
  readonly latest: number;
}

/**
 * Snapshots after `time` are left out, and those at 0, which hold the start.
 * @throws NcvsdError BAD_ARGUMENT for no snapshot, a time that none has, or two alike
 */
export function planPostHocEma(
  snapshots: readonly Profile[],
  { std, time }: { readonly std: number; readonly time?: number },
): PostHocPlan {
  const end = time ?? snapshots.reduce((latest, s) => Math.max(latest, s.time), 0);
  const used = snapshots
    .map(({ time, std }, index) => ({ time, std, index }))
    .filter((s) => s.time > 0 && s.time <= end);
  if (used.length === 0) throw bad(`there is no snapshot from after the start up to ${end} images: give some.`);
  const latest = used.findLast((s) => s.time === end)?.index;
  if (latest === undefined)
    throw bad(
      `no snapshot was taken at ${end} images: take one of ${[...new Set(used.map((s) => s.time))].join(", ")}.`,
    );
  const twice = used.find((s, i) => used.findIndex((o) => o.time === s.time && o.std === s.std) !== i);
  if (twice) throw bad(`two snapshots are of ${twice.time} images and standard deviation ${twice.std}: leave one out.`);
  const weights = postHocCoefficients(used, { std, time: end });
  return { time: end, used: used.map(({ index }, k) => ({ index, weight: weights[k]! })), latest };
}

/** sum <- sum + c values, in double precision: one snapshot's part of a tensor. */
export function addScaled(sum: Float64Array, c: number, values: Float32Array): void {
  for (let j = 0; j < sum.length; j++) sum[j]! += c * values[j]!;
}

/**
 * Parameters as an average of another length would have them, from averages taken along the way (Karras et al. 2024, section
 * 3.2).
 * @param options std: relative standard deviation wished, 0 < std < 0.2887; time: its end in images, one of the snapshots'
 *   (default: the latest)
 * @returns the weights of all snapshots in the order given (0: left out), and the sums in f32 by name
 * @throws NcvsdError BAD_ARGUMENT as planPostHocEma, and for tensors that differ
 */
export function reconstructPostHocEma(
  snapshots: readonly EmaSnapshot[],
  options: { readonly std: number; readonly time?: number },
): { coefficients: Float64Array; tensors: Map<string, Float32Array> } {
  const { used, latest } = planPostHocEma(snapshots, options);
  const parts = used.map(({ index, weight }) => ({ tensors: snapshots[index]!.tensors, weight }));
  const last = snapshots[latest]!.tensors;
  const tensors = new Map<string, Float32Array>();
  for (const { tensors: other } of parts)
    if (other.size !== last.size)
      throw bad(`snapshots have ${last.size} and ${other.size} tensors: they must be of one network.`);
  for (const [name, values] of last) {
    const sum = new Float64Array(values.length);
    for (const { tensors: other, weight } of parts) {
      const part = other.get(name);
      if (part?.length !== values.length)
        throw bad(`the tensor ${name} differs among the snapshots: they must be of one network.`);
      addScaled(sum, weight, part);
    }
    tensors.set(name, kindOf(name) === "buffer" ? values.slice() : Float32Array.from(sum));
  }
  const coefficients = new Float64Array(snapshots.length);
  for (const { index, weight } of used) coefficients[index] = weight;
  return { coefficients, tensors };
}
