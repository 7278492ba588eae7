import type { Inputs } from "../../../src/gpu/contract.js";
import { average, columnOf, jacobian, type NormActShape, partsOf } from "../../lib/norm-act.js";

export function reference(shape: NormActShape, { g, n, s, w, r }: Inputs) {
  const { channels, columns, source, alpha, gamma, beta, slope } = shape;
  const inside = partsOf(shape).g;
  const [hd, vd] = [new Float64Array(channels * columns), new Float64Array(channels * columns)];
  const m = new Float64Array(2 * columns);
  for (let column = 0; column < columns; column++) {
    const normal = columnOf(n!, channels, columns, column);
    const own = Float64Array.from({ length: channels }, (_, c) => {
      if (source === "label" && c >= inside) return 0;
      const direct = g![(c % inside) * columns + column]!;
      return source === "residual" ? direct + r![c * columns + column]! : direct;
    });
    m[column] = average(own);
    m[columns + column] = average(own, normal);
    jacobian(normal, own, s![column]!).forEach((value, c) => {
      const a = w![gamma + c]! * w![alpha + c]!;
      const mask = a * normal[c]! + w![beta + c]! >= 0 ? 1 : slope;
      hd[c * columns + column] = own[c]!;
      vd[c * columns + column] = mask * a * value;
    });
  }
  return source === "plain" ? { m, vd } : { hd, m, vd };
}
