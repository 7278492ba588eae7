import type { Caps, DeviceRates } from "../../src/gpu/contract.js";

/**
 * Tiles of the matrix products that run on GPUs (gemm, implicit-gemm): what a workgroup covers of rows and columns, and how its
 * invocations share it. All sizes are powers of two, workgroups of at most 256 invocations.
 */
export interface Tile {
  readonly rows: number;
  /** Columns, a multiple of 4. */
  readonly columns: number;
  /** What one invocation holds: 4 or 8 rows, and quads of columns. */
  readonly laneRows: number;
  readonly laneQuads: number;
  /** Invocations of one workgroup that make parts of a sum side by side, each of them one or two: 1 makes all. */
  readonly slices: number;
}

/**
 * Parts that a long sum is cut into where one image's tiles are too few to fill a GPU: each part is summed by itself in ascending
 * order, then the parts are added in order. A tile has the parts made by slices of its workgroup or one after another: the
 * same additions in the same order, so that bits depend on the layer's parts and on no tile. More parts are for longer sums.
 */
export const SEGMENTS = [8, 16] as const;

const tile = (rows: number, columns: number, laneRows: number, laneQuads: number, slices = 1): Tile => {
  return { rows, columns, laneRows, laneQuads, slices };
};

/** By name, the largest first; `/8`, `/16`: with slices. */
export const TILES: Readonly<Record<string, Tile>> = {
  "128x128": tile(128, 128, 8, 2),
  "128x64": tile(128, 64, 8, 2),
  "64x64": tile(64, 64, 8, 2),
  "64x32": tile(64, 32, 8, 1),
  "32x64": tile(32, 64, 8, 1),
  "32x32": tile(32, 32, 4, 1),
  "64x16": tile(64, 16, 4, 1),
  "8x64": tile(8, 64, 4, 1),
  "16x16/8": tile(16, 16, 4, 1, 8),
  "8x32/8": tile(8, 32, 4, 1, 8),
  "8x8/8": tile(8, 8, 4, 1, 8),
  "8x8/16": tile(8, 8, 4, 1, 16),
};

/** Invocations of one slice. */
export function sliceThreads({ rows, columns, laneRows, laneQuads }: Tile): number {
  return (rows / laneRows) * (columns / 4 / laneQuads);
}

/** A product as tiles see it. */
export interface TiledShape {
  readonly groups: number;
  readonly rows: number;
  /** Quads of columns of all images. */
  readonly quads: number;
  /** Products of one output. */
  readonly depth: number;
  /** 1 or one of `SEGMENTS`. */
  readonly segments: number;
  /** Values of columns that are loaded for one k: fewer than one where some k share them. Default: 1. */
  readonly loaded?: number;
}

/** Names of the tiles that can do a product: those of at most twice its rows, with slices where its sums have parts. */
export function tilesFor(
  { rows, segments }: Pick<TiledShape, "rows" | "segments">,
  caps: Pick<Caps, "maxWorkgroupSize">,
) {
  return Object.entries(TILES)
    .filter(([, t]) => t.slices === 1 || segments === t.slices || segments === 2 * t.slices)
    .filter(([, t]) => t.rows < 2 * rows || t.rows === 8)
    .filter(([, t]) => t.slices * sliceThreads(t) <= caps.maxWorkgroupSize)
    .map(([name]) => name);
}

/** For adapters that say nothing of themselves. */
const MIDDLING: DeviceRates = { multiprocessors: 32, flops: 10e12, bandwidth: 0.4e12, dispatch: 4e-6 };

export function ratesOf({ rates }: Pick<Caps, "rates">): DeviceRates {
  return rates ?? MIDDLING;
}

/** Invocations with 8x8 sums each that keep a multiprocessor's multiply-add units busy; with fewer sums each, more are needed. */
const BUSY = 128;
/** Invocations of a multiprocessor at a time. */
const RESIDENT = 1024;
/** Operations of the peak for each byte that the caches give to all multiprocessors together. */
const CACHED = 12;

/**
 * Seconds of a product in tiles of this kind, by counting: tiles go round the multiprocessors, each of which has its share of the
 * peak; of an invocation's work a part (m + n) / (m n + m + n) is reading operands of its m x n sums; a multiprocessor with few
 * invocations waits for their loads; and every tile's operands come through the caches. An estimate to compare tiles with: nothing in
 * it was measured.
 */
export function tiledSeconds(
  t: Tile,
  { groups, rows, quads, depth, loaded = 1 }: TiledShape,
  rates: DeviceRates,
): number {
  const { multiprocessors, flops } = rates;
  const [m, n] = [t.laneRows, 4 * t.laneQuads];
  const tiles = groups * Math.ceil(rows / t.rows) * Math.ceil((4 * quads) / t.columns);
  const rounds = Math.ceil(tiles / multiprocessors);
  const threads = t.slices * sliceThreads(t);
  const resident = Math.min(rounds * threads, RESIDENT);
  const busy = Math.min(1, (resident * Math.sqrt(m * n)) / (BUSY * 8));
  const useful = (m * n) / (m * n + m + n);
  const computing = (rounds * 2 * t.rows * t.columns * depth * multiprocessors) / (flops * useful * busy);
  return Math.max(computing, (4 * (t.rows + loaded * t.columns) * depth * tiles * CACHED) / flops);
}

/**
 * The tile of least `tiledSeconds`; of those within a hundredth, the one that makes the fewest products, then the one that gives more
 * multiprocessors something to do.
 */
export function bestTile(shape: TiledShape, caps: Pick<Caps, "maxWorkgroupSize" | "rates">): string {
  const rates = ratesOf(caps);
  const found = tilesFor(shape, caps).map((name) => {
    const t = TILES[name]!;
    const tiles = shape.groups * Math.ceil(shape.rows / t.rows) * Math.ceil((4 * shape.quads) / t.columns);
    return {
      name,
      seconds: tiledSeconds(t, shape, rates),
      filled: Math.min(rates.multiprocessors, tiles),
      made: tiles * t.rows * t.columns,
    };
  });
  const least = 1.01 * Math.min(...found.map(({ seconds }) => seconds));
  return found
    .filter(({ seconds }) => seconds <= least)
    .reduce((a, b) => (b.made < a.made || (b.made === a.made && b.filled > a.filled) ? b : a)).name;
}
