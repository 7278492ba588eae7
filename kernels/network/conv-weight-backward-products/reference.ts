import type { Inputs } from "../../../src/gpu/contract.js";
import { OCTET, PANEL } from "../../lib/channel-operand.js";
import type { ChannelRange } from "../../lib/channel-range.js";

export interface ConvWeightBackwardProductsParams {
  /** Products beside each other: 36 or 16 for Winograd, 9 for the taps of a 3x3 window, 1 for a 1x1 convolution. */
  readonly groups: number;
  /** `a` has one group, which all products share. */
  readonly shared: boolean;
  /** Panels of places that are summed over. */
  readonly panels: number;
  /** Octets of channels of `a`, the rows of y, and of `b`, its columns. */
  readonly rows: number;
  readonly columns: number;
  /** Panels that are summed up together; the last piece may have fewer. */
  readonly piece: number;
  /** The pieces are added up, in order: y has one sum of all. */
  readonly summed?: boolean;
  /** y is a gradient that is done, [rows][columns][groups], the groups its taps. Of a single piece, or `summed`. */
  readonly done?: boolean;
  /** The rows are some octets of `a`'s. Default: all. */
  readonly from?: ChannelRange;
  /** The pieces are some of y's; the rest of y is left as it is. Default: all. */
  readonly into?: ChannelRange;
}

/** Sums that y holds of each element. */
export const piecesOf = ({
  panels,
  piece,
  summed,
}: Pick<ConvWeightBackwardProductsParams, "panels" | "piece" | "summed">) => (summed ? 1 : Math.ceil(panels / piece));

/** Float64 sums by plain loops. */
export function reference(p: ConvWeightBackwardProductsParams, inputs: Inputs) {
  const { a, b } = inputs as Record<"a" | "b", ArrayLike<number>>;
  const { groups, shared, panels, rows, columns, done } = p;
  const span = p.summed ? panels : p.piece;
  const { first: firstRow, of: ofRows } = p.from ?? { first: 0, of: rows };
  const { first: firstPiece, of: ofPieces } = p.into ?? { first: 0, of: piecesOf(p) };
  const aGroups = shared ? 1 : groups;
  const size = groups * columns * OCTET;
  // What is not asked for keeps what the caller put there: NaN in the tests.
  const y = new Float64Array(rows * OCTET * ofPieces * size).fill(Number.NaN);
  for (let row = 0; row < rows * OCTET; row++) {
    const start = (row * ofPieces + firstPiece) * size;
    y.fill(0, start, start + piecesOf(p) * size);
  }
  for (let place = 0; place < panels * PANEL; place++) {
    const panel = Math.floor(place / PANEL);
    const at = (block: number, channel: number) => (block * PANEL + (place % PANEL)) * OCTET + (channel % OCTET);
    for (let group = 0; group < groups; group++) {
      for (let row = 0; row < rows * OCTET; row++) {
        const octet = panel * ofRows + firstRow + (row >> 3);
        const left = a[at(octet * aGroups + (shared ? 0 : group), row)]!;
        const where = row * ofPieces + firstPiece + Math.floor(panel / span);
        for (let column = 0; column < columns * OCTET; column++) {
          const entry = done ? column * groups + group : group * columns * OCTET + column;
          y[where * size + entry]! += left * b[at((panel * columns + (column >> 3)) * groups + group, column)]!;
        }
      }
    }
  }
  return { y };
}
