import type { Inputs } from "../../../src/gpu/contract.js";
import { reference as posterior } from "../posterior-target/reference.js";

export interface PosteriorTilesParams {
  readonly rows: number;
  readonly dims: number;
  /** Data, in tiles of `TILE` neighbours. */
  readonly keys: number;
  /** sigma(0), the standard deviation of the smoothing. */
  readonly sigma: number;
}

/** The tiles only say where not to look. */
export const reference = (params: PosteriorTilesParams, inputs: Inputs) =>
  posterior({ ...params, draw: false }, inputs);
