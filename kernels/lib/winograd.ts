/**
 * Winograd's minimal filtering F(4x4, 3x3) (Lavin & Gray 2016, "Fast algorithms for convolutional neural networks"):
 * 4x4 outputs from a 6x6 patch with 36 products instead of 144,
 *
 *   Y = A^T [(G g G^T) * (B^T d B)] A.
 *
 * Interpolation points 0, +-5/8, +-3/2 and infinity instead of the usual 0, +-1, +-2: the condition is better (Barabasz et
 * al. 2020, "Error analysis and improving the accuracy of Winograd convolution"), all constants of B^T and A^T are exact
 * in f32, and even and odd parts still share their work. Error against float64 in f32: 1.2e-6 at 192 channels, where the
 * usual points give 2.8e-6.
 */

export const OUTPUT_TILE = 4;
export const INPUT_TILE = 6;
/** Products per tile and channel pair. */
export const POINTS = INPUT_TILE * INPUT_TILE;

const FINITE_POINTS = [0, 5 / 8, -5 / 8, 3 / 2, -3 / 2] as const;

/** Rows of G, float64: row p evaluates the filter polynomial at point p, divided by prod_q (p - q); the last is infinity. */
export const G: readonly (readonly number[])[] = [
  ...FINITE_POINTS.map((p) => {
    let n = 1;
    for (const q of FINITE_POINTS) if (q !== p) n *= p - q;
    return [1 / n, p / n, (p * p) / n];
  }),
  [0, 0, 1],
];

/** Rows of B^T: coefficients of prod_{q != p} (x - q); the last is prod_q (x - q). */
export const BT: readonly (readonly number[])[] = [...FINITE_POINTS.map((p) => coefficients(p)), coefficients(null)];

/** Rows of A^T: powers 0 to 3 of the points; infinity contributes to the highest only. */
export const AT: readonly (readonly number[])[] = [0, 1, 2, 3].map((i) => [
  ...FINITE_POINTS.map((p) => (i === 0 ? 1 : p ** i)),
  i === 3 ? 1 : 0,
]);

function coefficients(left: number | null): number[] {
  let poly = [1];
  for (const q of FINITE_POINTS) {
    if (q === left) continue;
    const next = [0, ...poly];
    poly.forEach((c, i) => {
      next[i]! -= q * c;
    });
    poly = next;
  }
  return [...poly, ...Array(INPUT_TILE - poly.length).fill(0)];
}

/** Blocks of a panel, unless the image has few: its 32 columns are what one subgroup of eight lanes holds as vec4. */
const LARGEST_PANEL = 8;

/**
 * The operands of the 36 products: [panel][channel][point][column of the panel], so that the transforms write and read
 * one contiguous run per channel. Tiles come in blocks of 2x2, one vec4 each, and blocks in panels of eight (of four, two or
 * one where there are no more): block
 * (n blocksY + qy) blocksX + qx covers tiles (2 qy, 2 qx) to (2 qy + 1, 2 qx + 1) of image n, in row order. Tiles past the
 * image's edge are there too; blocks past the last are zero.
 */
export interface Tiling {
  /** Blocks of 8x8 outputs in a row of blocks, in a column, and in all images. */
  readonly blocksX: number;
  readonly blocksY: number;
  readonly blocks: number;
  /** Blocks of a panel, a power of two, and panels in all. */
  readonly panel: number;
  readonly panels: number;
  /** Columns of a panel: four tiles a block. */
  readonly panelColumns: number;
}

/** @param panel blocks of a panel, a power of two up to 8 */
export function tiling(batch: number, height: number, width: number, panel: number = LARGEST_PANEL): Tiling {
  const blocksX = Math.ceil(width / (2 * OUTPUT_TILE));
  const blocksY = Math.ceil(height / (2 * OUTPUT_TILE));
  const blocks = batch * blocksX * blocksY;
  return { blocksX, blocksY, blocks, panel, panels: Math.ceil(blocks / panel), panelColumns: 4 * panel };
}

/** The panel size that leaves least of a panel empty. Only the operands' layout depends on it, no bit of the result. */
export function panelFor(batch: number, height: number, width: number): number {
  const { blocks } = tiling(batch, height, width);
  let panel = 1;
  while (panel < blocks && panel < LARGEST_PANEL) panel *= 2;
  return panel;
}

/** Elements of an operand with this many channels. */
export function operandLength(channels: number, { panels, panelColumns }: Tiling): number {
  return panels * channels * POINTS * panelColumns;
}

/** Index of point (i, j) of tile (ty, tx) of image n and a channel. */
export function operandIndex(
  tiles: Tiling,
  channels: number,
  at: { n: number; ty: number; tx: number; channel: number; i: number; j: number },
): number {
  const block = (at.n * tiles.blocksY + (at.ty >> 1)) * tiles.blocksX + (at.tx >> 1);
  const column = 4 * (block % tiles.panel) + 2 * (at.ty & 1) + (at.tx & 1);
  const line = (Math.floor(block / tiles.panel) * channels + at.channel) * POINTS + at.i * INPUT_TILE + at.j;
  return line * tiles.panelColumns + column;
}

/** G g G^T in float64 of filters [rows, depth, 3, 3]: [36][rows, depth], one matrix per point. */
export function transformFilters(w: ArrayLike<number>, rows: number, depth: number): Float64Array {
  const count = rows * depth;
  const out = new Float64Array(POINTS * count);
  const half = new Float64Array(3 * INPUT_TILE);
  for (let f = 0; f < count; f++) {
    for (let i = 0; i < INPUT_TILE; i++) {
      const [a, b, c] = G[i] as [number, number, number];
      for (let x = 0; x < 3; x++) half[i * 3 + x] = a * w[f * 9 + x]! + b * w[f * 9 + 3 + x]! + c * w[f * 9 + 6 + x]!;
    }
    for (let i = 0; i < INPUT_TILE; i++) {
      for (let j = 0; j < INPUT_TILE; j++) {
        const [a, b, c] = G[j] as [number, number, number];
        out[(i * INPUT_TILE + j) * count + f] = a * half[i * 3]! + b * half[i * 3 + 1]! + c * half[i * 3 + 2]!;
      }
    }
  }
  return out;
}
