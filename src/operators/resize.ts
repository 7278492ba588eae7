import { reflected } from "./blur-kernels.js";

/** A linear map of lines: output o = sum over t of weights[t, o] * input[positions[t, o]]; both tables are [taps, outputs]. */
export interface LineMap {
  readonly inputs: number;
  readonly outputs: number;
  readonly taps: number;
  readonly weights: Float64Array;
  readonly positions: Uint32Array;
  /** Every output has all inputs, in order. */
  readonly dense?: boolean;
}

/** Cubic convolution kernel of Keys with a = -1/2 (Catmull and Rom). */
function cubic(distance: number): number {
  const u = Math.abs(distance);
  if (u <= 1) return 1.5 * u ** 3 - 2.5 * u ** 2 + 1;
  return u < 2 ? -0.5 * u ** 3 + 2.5 * u ** 2 - 4 * u + 2 : 0;
}

/**
 * Bicubic reduction by `factor` along one axis with antialiasing (MATLAB's imresize, the reference's Resizer): output o stands
 * at c = (o + 1/2) factor - 1/2 and weighs input j with cubic((j - c) / factor), normalised to sum 1; positions outside are
 * then continued by half-sample reflection.
 */
export function reduction(inputs: number, factor: number): LineMap {
  const outputs = inputs / factor;
  const rows = Array.from({ length: outputs }, (_, o) => {
    const centre = (o + 0.5) * factor - 0.5;
    const row: [position: number, weight: number][] = [];
    for (let j = Math.ceil(centre - 2 * factor); j <= centre + 2 * factor; j++) {
      const weight = cubic((j - centre) / factor);
      if (weight !== 0) row.push([j, weight]);
    }
    const sum = row.reduce((a, [, weight]) => a + weight, 0);
    return row.map(([j, weight]): [number, number] => [reflected(j, inputs), weight / sum]);
  });
  return lineMap(inputs, rows);
}

/** The adjoint of a map: for every input, the outputs that it takes part in. Weights of one pair are added up in float64. */
export function adjointOf(map: LineMap): LineMap {
  const rows = Array.from({ length: map.inputs }, () => new Map<number, number>());
  for (let t = 0; t < map.taps; t++) {
    for (let o = 0; o < map.outputs; o++) {
      const row = rows[map.positions[t * map.outputs + o]!]!;
      row.set(o, (row.get(o) ?? 0) + map.weights[t * map.outputs + o]!);
    }
  }
  return lineMap(map.outputs, rows.map((row) => [...row].sort(([a], [b]) => a - b))); // biome-ignore format: one step
}

/** Rows of different lengths are filled up with weights 0. */
export function lineMap(inputs: number, rows: readonly (readonly (readonly [number, number])[])[]): LineMap {
  const outputs = rows.length;
  const taps = Math.max(1, ...rows.map((row) => row.length));
  const weights = new Float64Array(taps * outputs);
  const positions = new Uint32Array(taps * outputs);
  rows.forEach((row, o) => {
    row.forEach(([position, weight], t) => {
      positions[t * outputs + o] = position;
      weights[t * outputs + o] = weight;
    });
  });
  return { inputs, outputs, taps, weights, positions };
}
