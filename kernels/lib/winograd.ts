/**
 * Winograd's minimal filtering (Lavin & Gray 2016, "Fast algorithms for convolutional neural networks"): m x m outputs from an
 * (m + 2) x (m + 2) patch with (m + 2)^2 products instead of 9 m^2,
 *
 *   Y = A^T [(G g G^T) * (B^T d B)] A.
 *
 * F(4x4, 3x3) has interpolation points 0, +-5/8, +-3/2 and infinity instead of the usual 0, +-1, +-2: the condition is better
 * (Barabasz et al. 2020, "Error analysis and improving the accuracy of Winograd convolution"), all constants of B^T and A^T are
 * exact in f32, and even and odd parts still share their work. Error against float64 in f32: 1.2e-6 at 192 channels, where
 * the usual points give 2.8e-6. F(2x2, 3x3) has points 0, +-1 and infinity: 4e-7, with 16 products for four outputs.
 */

/** Outputs along one side of a tile. 4 makes the fewest products; 2 is for images that leave most of a 4x4 tile empty. */
export type WinogradTile = 2 | 4;

export interface Winograd {
  readonly tile: WinogradTile;
  /** Inputs along one side of a tile's patch. */
  readonly input: number;
  /** Products per tile and channel pair. */
  readonly points: number;
  /** Rows of G, float64: row p evaluates the filter polynomial at point p, divided by prod_q (p - q); the last is infinity. */
  readonly G: readonly (readonly number[])[];
  /** Rows of B^T: coefficients of prod_{q != p} (x - q); the last is prod_q (x - q). */
  readonly BT: readonly (readonly number[])[];
  /** Rows of A^T: powers 0 to m - 1 of the points; infinity contributes to the highest only. */
  readonly AT: readonly (readonly number[])[];
}

function transforms(tile: WinogradTile, finite: readonly number[]): Winograd {
  const input = tile + 2;
  const G = finite.map((p) => {
    let n = 1;
    for (const q of finite) if (q !== p) n *= p - q;
    return [1 / n, p / n, (p * p) / n];
  });
  const AT = Array.from({ length: tile }, (_, i) => [
    ...finite.map((p) => (i === 0 ? 1 : p ** i)),
    i === tile - 1 ? 1 : 0,
  ]);
  const BT = [...finite.map((p) => coefficients(finite, p)), coefficients(finite, null)];
  return { tile, input, points: input * input, G: [...G, [0, 0, 1]], BT, AT };
}

function coefficients(finite: readonly number[], left: number | null): number[] {
  let poly = [1];
  for (const q of finite) {
    if (q === left) continue;
    const next = [0, ...poly];
    poly.forEach((c, i) => {
      next[i]! -= q * c;
    });
    poly = next;
  }
  return [...poly, ...Array(finite.length + 1 - poly.length).fill(0)];
}

const TILES: Readonly<Record<WinogradTile, Winograd>> = {
  2: transforms(2, [0, 1, -1]),
  4: transforms(4, [0, 5 / 8, -5 / 8, 3 / 2, -3 / 2]),
};

/** The transforms of F(2x2, 3x3) or F(4x4, 3x3), the default. */
export function winograd(tile: WinogradTile = 4): Winograd {
  return TILES[tile];
}

/** Transformed filters of 4x4 tiles that a processor's caches still hold. */
const CACHED_BYTES = 16 * 2 ** 20;

/**
 * The tile of an image's layer, by the layer alone, never the batch: the tile decides about bits. The one that makes fewer
 * products, the image's empty parts included; of the same number, the larger. Where one block of 4x4 tiles is the whole
 * image and the filters are many, reading the filters is most of the work, and those of 2x2 tiles are less than half as many.
 * @param filters input times output channels
 */
export function winogradTile(height: number, width: number, filters = 0): WinogradTile {
  const blocks = (tile: WinogradTile) => tiling(1, height, width, 1, tile).blocks;
  if (blocks(4) === 1 && 4 * filters * winograd(4).points > CACHED_BYTES) return 2;
  return blocks(2) * winograd(2).points < blocks(4) * winograd(4).points ? 2 : 4;
}

/** Blocks of a panel, unless the image has few: its 32 columns are what one subgroup of eight lanes holds as vec4. */
const LARGEST_PANEL = 8;

/**
 * The operands of the products: [panel][channel][point][column of the panel], so that the transforms write and read
 * one contiguous run per channel. Tiles come in blocks of 2x2, one vec4 each, and blocks in panels of eight (of four, two or
 * one where there are no more): block
 * (n blocksY + qy) blocksX + qx covers tiles (2 qy, 2 qx) to (2 qy + 1, 2 qx + 1) of image n, in row order. Tiles past the
 * image's edge are there too; blocks past the last are zero.
 */
export interface Tiling {
  readonly tile: WinogradTile;
  /** Blocks of 2x2 tiles in a row of blocks, in a column, and in all images. */
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
export function tiling(
  batch: number,
  height: number,
  width: number,
  panel: number = LARGEST_PANEL,
  tile: WinogradTile = 4,
): Tiling {
  const blocksX = Math.ceil(width / (2 * tile));
  const blocksY = Math.ceil(height / (2 * tile));
  const blocks = batch * blocksX * blocksY;
  return { tile, blocksX, blocksY, blocks, panel, panels: Math.ceil(blocks / panel), panelColumns: 4 * panel };
}

/** Some of the blocks, for operands that are made a part at a time: `count` of them from block `first` on. */
export interface BlockRange {
  readonly first: number;
  readonly count: number;
}

/** The panels of a part: `blocks` is then its number of blocks. */
export function partOf(tiles: Tiling, range: BlockRange | undefined): Tiling {
  return range ? { ...tiles, blocks: range.count, panels: Math.ceil(range.count / tiles.panel) } : tiles;
}

/** What the transforms' parameters have in common. */
export interface WinogradParams {
  readonly batch: number;
  readonly channels: number;
  readonly height: number;
  readonly width: number;
  /** Blocks of a panel: 1, 2, 4 or 8, the default. */
  readonly panel?: number;
  /** Outputs along one side of a tile: 2 or 4, the default. */
  readonly tile?: WinogradTile;
  /** The operand holds only these blocks, all images' counted together. Default: all. */
  readonly part?: BlockRange;
}

/** The tiles of all images. */
export function wholeOf({ batch, height, width, panel, tile }: WinogradParams): Tiling {
  return tiling(batch, height, width, panel, tile);
}

/** The tiles of the part that is asked for. */
export function tilesOf(p: WinogradParams): Tiling {
  return partOf(wholeOf(p), p.part);
}

/** The panel size that leaves least of a panel empty. Only the operands' layout depends on it, no bit of the result. */
export function panelFor(batch: number, height: number, width: number, tile: WinogradTile = 4): number {
  const { blocks } = tiling(batch, height, width, LARGEST_PANEL, tile);
  let panel = 1;
  while (panel < blocks && panel < LARGEST_PANEL) panel *= 2;
  return panel;
}

/** Elements of an operand with this many channels. */
export function operandLength(channels: number, { tile, panels, panelColumns }: Tiling): number {
  return panels * channels * winograd(tile).points * panelColumns;
}

/** The block of tile (ty, tx) of image n. */
export function blockOf(tiles: Tiling, n: number, ty: number, tx: number): number {
  return (n * tiles.blocksY + (ty >> 1)) * tiles.blocksX + (tx >> 1);
}

/** Index of point (i, j) of tile (ty, tx), which lies in the operand's block `block`, and a channel. */
export function operandIndex(
  tiles: Tiling,
  channels: number,
  at: { block: number; ty: number; tx: number; channel: number; i: number; j: number },
): number {
  const { points, input } = winograd(tiles.tile);
  const { block } = at;
  const column = 4 * (block % tiles.panel) + 2 * (at.ty & 1) + (at.tx & 1);
  const line = (Math.floor(block / tiles.panel) * channels + at.channel) * points + at.i * input + at.j;
  return line * tiles.panelColumns + column;
}

/** G g G^T in float64 of filters [rows, depth, 3, 3]: [points][rows, depth], one matrix per point. */
export function transformFilters(
  w: ArrayLike<number>,
  rows: number,
  depth: number,
  tile: WinogradTile = 4,
): Float64Array {
  const { input, points, G } = winograd(tile);
  const count = rows * depth;
  const out = new Float64Array(points * count);
  const half = new Float64Array(3 * input);
  for (let f = 0; f < count; f++) {
    for (let i = 0; i < input; i++) {
      const [a, b, c] = G[i] as [number, number, number];
      for (let x = 0; x < 3; x++) half[i * 3 + x] = a * w[f * 9 + x]! + b * w[f * 9 + 3 + x]! + c * w[f * 9 + 6 + x]!;
    }
    for (let i = 0; i < input; i++) {
      for (let j = 0; j < input; j++) {
        const [a, b, c] = G[j] as [number, number, number];
        out[(i * input + j) * count + f] = a * half[i * 3]! + b * half[i * 3 + 1]! + c * half[i * 3 + 2]!;
      }
    }
  }
  return out;
}
