import type { Precision } from "./contract.js";

/** What choices of a tuner hold for. */
export interface TuningIdentity {
  readonly adapter: string;
  readonly vendor: string;
  readonly architecture: string;
  /** The driver's own description, its version included. */
  readonly driver: string;
  readonly engine: string;
  readonly precision: Precision;
  /** The matrix units in use (`matricesRecord`). */
  readonly matrices?: string;
}

/** Choices for `Caps.tuning` and where they come from. */
export interface Tuning {
  readonly choices: ReadonlyMap<string, string>;
  /** The cache file; null: given by the caller. */
  readonly file: string | null;
}
