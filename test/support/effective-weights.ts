import type { EffectiveWeight } from "../../src/layers/trained.js";

type Values = ArrayLike<number>;

const EPS = 1e-4;

const rms = (row: Values) => Math.sqrt(Array.from(row).reduce((sum, x) => sum + x * x, 0) / row.length);

function rowsOf(values: Values, { w }: EffectiveWeight): number[][] {
  const length = w.length / w.shape[0]!;
  return Array.from({ length: w.shape[0]! }, (_, row) => Array.from(values).slice(row * length, (row + 1) * length));
}

/** Rows of a weight [rows, ...] after forced normalisation, in float64. */
export function normalised(values: Values, rows: number): Float64Array {
  const length = values.length / rows;
  const all = Array.from(values);
  return Float64Array.from(all, (x, i) => {
    const first = i - (i % length);
    return x / (EPS + rms(all.slice(first, first + length)));
  });
}

/** What a graph with changing weights wants of them besides: the scales of their rows, by the externals' names, in float64. */
export function scalesOf(
  weights: ReadonlyMap<string, EffectiveWeight>,
  values: (name: string) => Values,
): Map<string, Float64Array> {
  return new Map(
    Array.from(weights, ([name, weight]) => {
      const gain = weight.gain === undefined ? 1 : values(weight.gain)[0]!;
      const rows = rowsOf(values(name), weight);
      const scales = rows.map((row) => (weight.factor * gain) / Math.sqrt(row.length) / (EPS + rms(row)));
      return [weight.scale.name, Float64Array.from(scales)] as const;
    }),
  );
}

/** From the gradient of an effective weight those of the stored one and of its gain, in float64. */
export function storedGradients(weight: EffectiveWeight, values: Values, gain: number, gradient: Values) {
  const [rows, gradients] = [rowsOf(values, weight), rowsOf(gradient, weight)];
  let dgain = 0;
  const dw = rows.flatMap((row, i) => {
    const [g, n, r] = [gradients[i]!, row.length, rms(row)];
    const constant = weight.factor / Math.sqrt(n) / (EPS + r);
    const dot = row.reduce((sum, x, k) => sum + x * g[k]!, 0);
    dgain += constant * dot;
    return row.map((x, k) => (g[k]! - (r === 0 ? 0 : (x * dot) / (n * r * (EPS + r)))) * constant * gain);
  });
  return { dw, dgain };
}
