import type { Graph, Tensor } from "../../src/graph/graph.js";
import { interpret } from "../../src/graph/interpret.js";
import { normalSource } from "../../src/graph/run-kernel.js";

export type Values = ReadonlyMap<string, ArrayLike<number>>;

/**
 * How well gradients agree with finite differences, both in float64: along random directions, of the scalar
 * sum over `outputs` of (its seed . it).
 * @param seeds by output: the name of the given tensor that holds its seed
 * @param h step, in units of the direction's entries
 * @returns by input, the largest |g . d - difference| / (|g| |d|) of some directions d
 */
export function differences(
  graph: Graph,
  given: Values,
  seeds: ReadonlyMap<Tensor, string>,
  gradients: ReadonlyMap<Tensor, Tensor>,
  { directions = 3, h = 1e-4 }: { directions?: number; h?: number } = {},
): Map<string, number> {
  const scalar = (values: Values) => {
    const all = interpret(graph, values);
    let sum = 0;
    for (const [output, seed] of seeds) {
      const y = all.get(output)!;
      const g = values.get(seed)!;
      for (let i = 0; i < y.length; i++) sum += y[i]! * g[i]!;
    }
    return sum;
  };
  const all = interpret(graph, given);
  const random = normalSource(9);
  const errors = new Map<string, number>();
  for (const [input, gradient] of gradients) {
    const g = Float64Array.from(all.get(gradient)!);
    let worst = 0;
    for (let k = 0; k < directions; k++) {
      const d = Float64Array.from(g, random);
      const at = (h: number) => {
        const moved = Float64Array.from(given.get(input.name)!, (v, i) => v + h * d[i]!);
        return scalar(new Map([...given, [input.name, moved]]));
      };
      // Fourth order: the error is rounding, not curvature.
      const slope = (8 * (at(h) - at(-h)) - (at(2 * h) - at(-2 * h))) / (12 * h);
      const norm = (v: Float64Array) => Math.sqrt(v.reduce((a, b) => a + b * b, 0));
      const along = g.reduce((sum, v, i) => sum + v * d[i]!, 0);
      worst = Math.max(worst, Math.abs(along - slope) / (norm(g) * norm(d) || 1));
    }
    errors.set(input.name, worst);
  }
  return errors;
}
