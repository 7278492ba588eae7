import type { Inputs } from "../../../src/gpu/contract.js";
import { lossPieces, PIECE } from "./pieces.js";

export interface DenoisingLossParams {
  readonly batch: number;
  /** Channels times pixels of one image. */
  readonly elements: number;
  readonly sigmaData: number;
  /** What every gradient is multiplied with: loss scaling / images of the update. */
  readonly factor: number;
}

export function reference(params: DenoisingLossParams, { D, x0, t, u }: Inputs) {
  const { batch, elements, sigmaData, factor } = params;
  const pieces = lossPieces(params);
  const loss = new Float64Array(batch * elements);
  const dD = new Float64Array(batch * elements);
  const partials = new Float64Array(batch * pieces);
  for (let i = 0; i < loss.length; i++) {
    const n = Math.floor(i / elements);
    const weight = ((t![n]! ** 2 + sigmaData ** 2) / (t![n]! * sigmaData) ** 2) * Math.exp(-u![n]!);
    const e = D![i]! - x0![i]!;
    loss[i] = weight * e * e + u![n]!;
    dD[i] = 2 * weight * e * factor;
    partials[n * pieces + Math.floor((i % elements) / PIECE)]! += 1 - weight * e * e;
  }
  return { loss, dD, partials };
}
