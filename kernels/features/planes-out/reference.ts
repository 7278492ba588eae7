import type { Inputs } from "../../../src/gpu/contract.js";
import type { ChannelRange } from "../../lib/channel-range.js";

/** f32 whatever the precision of the plan. */
export interface PlanesOutParams {
  readonly batch: number;
  readonly rows: number;
  /** Of y's images. */
  readonly height: number;
  readonly width: number;
  /** Pixels, counted through all images: `count` of them from `first` on. */
  readonly range: { readonly first: number; readonly count: number };
  readonly source: PlanesSource;
  readonly activation: "none" | "relu";
  /** Default: the rows are y's channels. */
  readonly into?: ChannelRange;
}

/**
 * What m is: the rows from `firstRow` on of a matrix of `ofRows` rows whose columns are the pixels asked for, rounded up to
 * fours; or images [N, rows, height, width] from which y is cut out, `crop` lines and columns from the top left.
 */
export type PlanesSource =
  | { readonly kind: "matrix"; readonly firstRow: number; readonly ofRows: number }
  | { readonly kind: "images"; readonly height: number; readonly width: number; readonly crop: number };

/** Elements of m, and where its values lie: the steps of the kernel. */
export function layoutOf({ batch, rows, height, width, range, source }: PlanesOutParams) {
  if (source.kind === "matrix") {
    const columns = Math.ceil(range.count / 4) * 4;
    return {
      length: source.ofRows * columns,
      rowStep: columns,
      imageStep: height * width,
      lineStep: width,
      offset: source.firstRow * columns - range.first,
    };
  }
  const plane = source.height * source.width;
  return {
    length: batch * rows * plane,
    rowStep: plane,
    imageStep: rows * plane,
    lineStep: source.width,
    offset: source.crop * (source.width + 1),
  };
}

export function reference(p: PlanesOutParams, { m, b }: Inputs) {
  const { batch, rows, height, width, range, activation } = p;
  const { first, of } = p.into ?? { first: 0, of: rows };
  const { rowStep, imageStep, lineStep, offset } = layoutOf(p);
  const pixels = height * width;
  // What is not asked for keeps what the caller put there: NaN in the tests.
  const y = new Float64Array(batch * of * pixels).fill(Number.NaN);
  for (let row = 0; row < rows; row++)
    for (let i = range.first; i < range.first + range.count; i++) {
      const [n, place] = [Math.floor(i / pixels), i % pixels];
      const [line, column] = [Math.floor(place / width), place % width];
      const sum = b![row]! + m![row * rowStep + n * imageStep + line * lineStep + column + offset]!;
      y[(n * of + first + row) * pixels + place] = activation === "relu" && sum < 0 && Number.isFinite(sum) ? 0 : sum;
    }
  return { y };
}
