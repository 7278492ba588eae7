import { TILE } from "../../kernels/energy/posterior-tiles/kernel.js";

/** Data in another order, neighbours together, and the bounds of every `TILE` of them. */
export interface TiledData {
  /** [points, dims] */
  readonly data: Float32Array<ArrayBuffer>;
  /** [tiles][2][dims]: lowest, then highest coordinates. */
  readonly bounds: Float32Array<ArrayBuffer>;
}

/** Halves the points along their widest coordinate, again and again, until what is left is a tile. */
export function tiled(data: Float32Array, dims: number): TiledData {
  const points = data.length / dims;
  const order = Uint32Array.from({ length: points }, (_, i) => i);
  const range = (from: number, to: number, d: number): [number, number] => {
    let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
    for (let i = from; i < to; i++) {
      const value = data[order[i]! * dims + d]!;
      low = Math.min(low, value);
      high = Math.max(high, value);
    }
    return [low, high];
  };
  const split = (from: number, to: number): void => {
    const tiles = Math.ceil((to - from) / TILE);
    if (tiles <= 1) return;
    const widths = Array.from({ length: dims }, (_, d) => {
      const [low, high] = range(from, to, d);
      return high - low;
    });
    const widest = widths.indexOf(Math.max(...widths));
    // Ties by number, so that the order is one.
    order.subarray(from, to).sort((a, b) => data[a * dims + widest]! - data[b * dims + widest]! || a - b);
    const middle = from + TILE * Math.ceil(tiles / 2);
    split(from, middle);
    split(middle, to);
  };
  split(0, points);
  const tiles = Math.ceil(points / TILE);
  const bounds = new Float32Array(2 * tiles * dims);
  for (let tile = 0; tile < tiles; tile++)
    for (let d = 0; d < dims; d++) {
      const [low, high] = range(tile * TILE, Math.min(points, (tile + 1) * TILE), d);
      bounds[2 * tile * dims + d] = low;
      bounds[(2 * tile + 1) * dims + d] = high;
    }
  const sorted = new Float32Array(data.length);
  order.forEach((from, to) => {
    sorted.set(data.subarray(from * dims, (from + 1) * dims), to * dims);
  });
  return { data: sorted, bounds };
}
