/**
 * How feature networks want pictures resized: separable maps per axis, in float64. Each rule gives, for every output position,
 * the input positions and their weights.
 */

interface Tap {
  readonly position: number;
  readonly weight: number;
}

/** Taps of every output position of an axis of n samples resized to m. */
export type ResizeRule = (n: number, m: number) => Tap[][];

/** Keys' cubic convolution kernel with the parameter a. */
function keys(x: number, a: number): number {
  const u = Math.abs(x);
  if (u < 1) return ((a + 2) * u - (a + 3)) * u * u + 1;
  return u < 2 ? ((a * u - 5 * a) * u + 8 * a) * u - 4 * a : 0;
}

const positions = (m: number) => Array.from({ length: m }, (_, i) => i);

function between(at: number, n: number): Tap[] {
  const low = Math.floor(at);
  const share = at - low;
  return [
    { position: low, weight: 1 - share },
    { position: Math.min(low + 1, n - 1), weight: share },
  ];
}

/** Bilinear as TensorFlow 1 had it: output i at i n/m, neither half a pixel's shift nor antialiasing. */
export const tf1Bilinear: ResizeRule = (n, m) => positions(m).map((i) => between((i * n) / m, n));

/** Bilinear about the pixels' centres (PyTorch's `align_corners=False`), without antialiasing. */
export const bilinear: ResizeRule = (n, m) =>
  positions(m).map((i) => between(Math.max(((i + 0.5) * n) / m - 0.5, 0), n));

/** Bicubic (a = -1/2) with a kernel as wide as the coarser grid, its weights normalised; overshoots stay. */
export const antialiasedBicubic: ResizeRule = (n, m) => {
  const ratio = n / m;
  const wide = Math.max(ratio, 1);
  return positions(m).map((i) => {
    const centre = (i + 0.5) * ratio;
    const first = Math.max(Math.trunc(centre - 2 * wide + 0.5), 0);
    const end = Math.min(Math.trunc(centre + 2 * wide + 0.5), n);
    const taps = positions(end - first).map((k) => ({
      position: first + k,
      weight: keys((first + k - centre + 0.5) / wide, -0.5),
    }));
    const sum = taps.reduce((total, { weight }) => total + weight, 0);
    return taps.map(({ position, weight }) => ({ position, weight: weight / sum }));
  });
};

/** Bicubic with four taps (a = -3/4), border samples repeated; the grids' ratio is n / (m + offset). */
export const plainBicubic =
  (offset: number): ResizeRule =>
  (n, m) =>
    positions(m).map((i) => {
      const at = ((i + 0.5) * n) / (m + offset) - 0.5;
      const low = Math.floor(at);
      return [-1, 0, 1, 2].map((k) => ({
        position: Math.min(Math.max(low + k, 0), n - 1),
        weight: keys(at - low - k, -0.75),
      }));
    });

/** Planes [count, height, width] resized along both axes. */
export function resizePlanes(
  planes: ArrayLike<number>,
  [height, width]: readonly [number, number],
  [toHeight, toWidth]: readonly [number, number],
  rule: ResizeRule,
): Float64Array {
  const count = planes.length / (height * width);
  const same = height === toHeight && width === toWidth;
  if (same) return Float64Array.from(planes);
  const rows = rule(height, toHeight);
  const columns = rule(width, toWidth);
  const wide = new Float64Array(count * height * toWidth);
  for (let line = 0; line < count * height; line++) {
    for (let x = 0; x < toWidth; x++) {
      let sum = 0;
      for (const { position, weight } of columns[x]!) sum += weight * planes[line * width + position]!;
      wide[line * toWidth + x] = sum;
    }
  }
  const out = new Float64Array(count * toHeight * toWidth);
  for (let plane = 0; plane < count; plane++) {
    for (let y = 0; y < toHeight; y++) {
      const at = (plane * toHeight + y) * toWidth;
      for (const { position, weight } of rows[y]!) {
        const from = (plane * height + position) * toWidth;
        for (let x = 0; x < toWidth; x++) out[at + x]! += weight * wide[from + x]!;
      }
    }
  }
  return out;
}
