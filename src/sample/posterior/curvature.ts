import type { Operator } from "../../operators/operator.js";

/** The largest eigenvalue of A'A, or what takes its place in the curvature 2 L of ||A(x) - y||^2; undefined: not known. */
export function curvatureOf(operator: Operator): number | undefined {
  if (operator.name === "inpainting") return 1;
  // Transform of (x + 1) / 2, which is unitary.
  if (operator.name === "phaseRetrieval") return 0.25;
  return undefined;
}
