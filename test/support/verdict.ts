import { expect } from "vitest";
import { relativeError } from "../../src/graph/run-kernel.js";
import type { RawTensors } from "./raw-tensors.js";

/** What went worst, for the report of a run. */
export class Verdict {
  readonly #errors: { key: string; length: number; error: number; allowed: number }[] = [];
  readonly #file: RawTensors;
  readonly #recorded: Record<string, number>;
  constructor(file: RawTensors) {
    this.#file = file;
    this.#recorded = JSON.parse(file.metadata.fp32_vs_fp64_rel_err_by_tensor ?? "{}");
  }

  /**
   * Against the float64 recording. Convolutions here are Winograd's where that is cheapest, whose error is ten times that of
   * plain sums: `orientation` is ten times what a relative error of 1e-6 in every convolution does, by the recording's README,
   * and scalars, differences of large terms, are allowed ten times what the README allows plain sums.
   */
  compare(key: string, ours: Float32Array, orientation: number): void {
    const truth = this.#file.values(`${key}.f64`);
    if (truth.every((v) => v === 0)) expect([...new Set(ours)], key).toEqual([0]);
    const own = this.#recorded[key] ?? this.#recorded[`${key}.f64`] ?? 0;
    const allowed = Math.max(truth.length > 1 ? orientation : 1e-3, 10 * own);
    this.#errors.push({ key, length: truth.length, error: relativeError(ours, truth), allowed });
  }

  end(what: string): void {
    const sorted = this.#errors.map(({ error }) => error).sort((a, b) => a - b);
    const worst = (scalar: boolean) => {
      const some = this.#errors.filter(({ length }) => scalar === (length === 1));
      const found = some.reduce((a, b) => (b.error > a.error ? b : a), { key: "none", error: 0 });
      return `${found.error.toExponential(1)} (${found.key})`;
    };
    const median = sorted[sorted.length >> 1]!.toExponential(1);
    console.info(
      `${what}: ${sorted.length}, median ${median}, worst tensor ${worst(false)}, worst scalar ${worst(true)}`,
    );
    for (const { key, error, allowed } of this.#errors) expect(error, key).toBeLessThanOrEqual(allowed);
  }
}
