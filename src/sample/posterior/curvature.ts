import type { Operator } from "../../operators/operator.js";

/** The largest eigenvalue of A'A, or what takes its place in the curvature 2 L of ||A(x) - y||^2; undefined: not known. */
export function curvatureOf({ curvature }: Operator): number | undefined {
  return curvature === undefined ? undefined : curvature / 2;
}
