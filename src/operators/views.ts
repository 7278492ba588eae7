import type { ViewedAs, ViewParams } from "../../kernels/lib/views.js";
import { viewCombine } from "../../kernels/operators/view-combine/kernel.js";
import { viewTake } from "../../kernels/operators/view-take/kernel.js";
import type { Tensor } from "../graph/graph.js";
import type { Place } from "./linear-operator.js";
import type { StageGraph } from "./stage-graph.js";

/** Windows on complex pictures: what coils, masks, probes and pupils have in common. Lengths of one picture. */
export interface Views extends Partial<Pick<ViewParams, "sourceRow" | "sourceColumn" | "viewRow" | "viewColumn">> {
  readonly as: ViewedAs;
  readonly channels: number;
  readonly height: number;
  readonly width: number;
  readonly rows: number;
  readonly columns: number;
  /** Top and left of every view, in pairs; absent: one view of the whole. */
  readonly positions?: ArrayLike<number>;
  /** One window for all views, or one each: planes of real and imaginary parts, [2, rows, columns] each. Absent: 1. */
  readonly windows?: ArrayLike<number>;
}

function parts(s: StageGraph, name: string, views: Views) {
  const { rows, columns, windows, positions = [0, 0] } = views;
  const count = positions.length / 2;
  const size = rows * columns;
  const each = windows !== undefined && windows.length === 2 * size * count && count > 1;
  const params: ViewParams = {
    batch: s.batch,
    channels: views.channels,
    height: views.height,
    width: views.width,
    views: count,
    rows,
    columns,
    as: views.as,
    windows: windows === undefined ? "none" : each ? "each" : "one",
    sourceRow: views.sourceRow ?? 0,
    sourceColumn: views.sourceColumn ?? 0,
    viewRow: views.viewRow ?? 0,
    viewColumn: views.viewColumn ?? 0,
  };
  const inputs = {
    positions: s.table(`${name} positions`, () => Uint32Array.from(positions)),
    window:
      windows &&
      s.table(`${name} windows`, () =>
        Float32Array.from({ length: windows.length }, (_, i) => {
          const [window, at] = [Math.floor(i / (2 * size)), i % (2 * size)];
          return windows[(2 * window + (at % 2)) * size + Math.floor(at / 2)]!;
        }),
      ),
  };
  return { params, inputs };
}

/** Takes the views of the pictures x: interleaved complex values, [batch, views, channels, rows, columns]. */
export function takeViews(s: StageGraph, name: string, x: Tensor, views: Views): Tensor {
  const { params, inputs } = parts(s, name, views);
  const y = [s.batch, params.views, params.channels, params.rows, params.columns, 2];
  return s.graph.run(name, viewTake, params, { x, ...inputs }, { y }).y;
}

/** The adjoint: puts views back, times `factor`, on top of `base`. */
export function combineViews(
  s: StageGraph,
  name: string,
  x: Tensor,
  views: Views,
  to: Place,
  { factor = 1, base }: { readonly factor?: number; readonly base?: Tensor } = {},
): Tensor {
  const { params, inputs } = parts(s, name, views);
  const more = { factor, base: base !== undefined };
  return s.graph.run(name, viewCombine, { ...params, ...more }, { x, base, ...inputs }, { y: to }).y;
}

/**
 * The largest sum, over the entries of a picture, of |window|^2 of the views that hold it: the square of the norm of the views.
 */
export function overlap({ height, width, rows, columns, positions = [0, 0], windows }: Views): number {
  const sums = new Float64Array(height * width);
  const size = rows * columns;
  const count = positions.length / 2;
  for (let view = 0; view < count; view++) {
    const window = windows && windows.length === 2 * size * count ? view : 0;
    for (let i = 0; i < size; i++) {
      const [re, im] = windows ? [windows[2 * window * size + i]!, windows[(2 * window + 1) * size + i]!] : [1, 0];
      const row = positions[2 * view]! + Math.floor(i / columns);
      sums[row * width + positions[2 * view + 1]! + (i % columns)]! += re * re + im * im;
    }
  }
  return sums.reduce((a, b) => Math.max(a, b), 0);
}
