import type { Inputs } from "../../../src/gpu/contract.js";
import { columnOf, jacobian, type NormActShape, partsOf } from "../../lib/norm-act.js";

export function reference(shape: NormActShape, { g, n, s, w, r }: Inputs) {
  const { channels, columns, source, alpha, gamma, beta, slope } = shape;
  const inside = partsOf(shape).g;
  const dg = new Float64Array(inside * columns);
  for (let column = 0; column < columns; column++) {
    const normal = columnOf(n!, channels, columns, column);
    const pulled = normal.map((value, c) => {
      const a = w![gamma + c]! * w![alpha + c]!;
      return a * (a * value + w![beta + c]! >= 0 ? 1 : slope) * g![c * columns + column]!;
    });
    jacobian(normal, pulled, s![column]!).forEach((value, c) => {
      if (source === "label" && c >= inside) return;
      dg[(c % inside) * columns + column]! += source === "plain" ? value : value + r![c * columns + column]!;
    });
  }
  return { dg };
}
