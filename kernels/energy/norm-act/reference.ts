import type { Inputs } from "../../../src/gpu/contract.js";
import { average, type NormActShape, partsOf } from "../../lib/norm-act.js";

export interface NormActParams extends NormActShape {
  /** Where the bias of the layer in front begins in the bank. */
  readonly bias: number;
  /** Added to the variance. */
  readonly eps: number;
  /** Also write what derivatives read: n and the reciprocal of the standard deviation. */
  readonly tape: boolean;
}

export function reference(params: NormActParams, { g, w, r }: Inputs) {
  const { channels, columns, source, bias, alpha, gamma, beta, slope, eps, tape } = params;
  const length = channels * columns;
  const inside = partsOf(params).g;
  const [h, n, v] = [new Float64Array(length), new Float64Array(length), new Float64Array(length)];
  const s = new Float64Array(columns);
  for (let column = 0; column < columns; column++) {
    const own = Float64Array.from({ length: channels }, (_, c) => {
      const from = source === "doubled" ? c % inside : c;
      if (source === "label" && c >= inside) return r![(c - inside) * columns + column]!;
      const direct = g![from * columns + column]! + w![bias + from]!;
      return source === "residual" ? direct + r![c * columns + column]! : direct;
    });
    const mean = average(own);
    const centred = own.map((value) => value - mean);
    s[column] = 1 / Math.sqrt(average(centred, centred) + eps);
    centred.forEach((value, c) => {
      const at = c * columns + column;
      h[at] = own[c]!;
      n[at] = value * s[column]!;
      const y = w![gamma + c]! * w![alpha + c]! * n[at]! + w![beta + c]!;
      v[at] = y >= 0 ? y : slope * y;
    });
  }
  return { ...(source === "plain" ? {} : { h }), ...(tape ? { n, s } : {}), v };
}
