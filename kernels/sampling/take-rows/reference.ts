import type { Inputs } from "../../../src/gpu/contract.js";

export interface TakeRowsParams {
  readonly rows: number;
  readonly dims: number;
}

export function reference({ rows, dims }: TakeRowsParams, { taken, x, phi, o, ownX, ownPhi, ownO }: Inputs) {
  const pick = (own: ArrayLike<number>, other: ArrayLike<number>, size: number) =>
    Float64Array.from({ length: rows * size }, (_, i) => (taken![Math.floor(i / size)] === 1 ? other : own)[i]!);
  return { ownX: pick(ownX!, x!, dims), ownPhi: pick(ownPhi!, phi!, 1), ownO: pick(ownO!, o!, dims) };
}
