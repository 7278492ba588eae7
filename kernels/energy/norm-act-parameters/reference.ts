import type { Inputs } from "../../../src/gpu/contract.js";
import type { NormActShape } from "../../lib/norm-act.js";

export interface NormActParametersParams extends NormActShape {
  /** With the terms of the first backward pass and of the tangent: of an energy. */
  readonly second: boolean;
}

export function reference(params: NormActParametersParams, { g, first, hd, n, s, m, w, d }: Inputs) {
  const { channels, columns, alpha, gamma, beta, slope, second } = params;
  const out = Float64Array.from(d!);
  for (let c = 0; c < channels; c++) {
    const [scale, gain, shift] = [w![alpha + c]!, w![gamma + c]!, w![beta + c]!];
    let [direct, product] = [0, 0];
    for (let column = 0; column < columns; column++) {
      const at = c * columns + column;
      const mask = gain * scale * n![at]! + shift >= 0 ? 1 : slope;
      direct += mask * g![at]!;
      product += mask * g![at]! * n![at]!;
      if (!second) continue;
      const moved = (hd![at]! - m![column]! - n![at]! * m![columns + column]!) * s![column]!;
      product += mask * first![at]! * moved;
    }
    out[beta + c] = direct;
    out[gamma + c] = scale * product;
    out[alpha + c] = gain * product;
  }
  return { d: out };
}
