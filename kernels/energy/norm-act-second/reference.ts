import type { Inputs } from "../../../src/gpu/contract.js";
import { average, columnOf, jacobian, type NormActShape, partsOf } from "../../lib/norm-act.js";

export function reference(shape: NormActShape, { g, first, hd, n, s, w, r }: Inputs) {
  const { channels, columns, source, alpha, gamma, beta, slope } = shape;
  const inside = partsOf(shape).g;
  const dg = new Float64Array(inside * columns);
  for (let column = 0; column < columns; column++) {
    const [normal, moved] = [n!, hd!].map((values) => columnOf(values, channels, columns, column)) as [
      Float64Array,
      Float64Array,
    ];
    const inverse = s![column]!;
    const pulled = (values: ArrayLike<number>) =>
      normal.map((value, c) => {
        const a = w![gamma + c]! * w![alpha + c]!;
        return a * (a * value + w![beta + c]! >= 0 ? 1 : slope) * values[c * columns + column]!;
      });
    const [p, q] = [pulled(first!), pulled(g!)];
    const [np, nh] = [average(normal, p), average(normal, moved)];
    const psi = (average(p, moved) - average(p) * average(moved) - np * nh) * inverse;
    const t = q.map((value, c) => value - (nh * p[c]! + np * moved[c]!) * inverse);
    jacobian(normal, t, inverse).forEach((value, c) => {
      if (source === "label" && c >= inside) return;
      const own = value - psi * inverse * normal[c]!;
      dg[(c % inside) * columns + column]! += source === "plain" ? own : own + r![c * columns + column]!;
    });
  }
  return { dg };
}
