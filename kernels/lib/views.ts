import type { Case } from "../../src/gpu/contract.js";
import { nonNegativeInteger } from "./check.js";

/** What stands for complex pictures [batch, channels, height, width]. */
export type ViewedAs =
  /** (x + 1) / 2 of real pictures. */
  | "object"
  | "real"
  /** Real and imaginary part as two planes, [batch, 2, height, width]; one channel. */
  | "planes"
  /** Interleaved complex values. */
  | "spectrum";

/** Windows on complex pictures: [batch, views, channels, rows, columns], all interleaved complex values. */
export interface ViewParams {
  readonly batch: number;
  readonly channels: number;
  readonly height: number;
  readonly width: number;
  readonly views: number;
  /** Extents of a view. */
  readonly rows: number;
  readonly columns: number;
  readonly as: ViewedAs;
  /** Complex weights [rows, columns], one window for all views or each its own; none: 1. */
  readonly windows: "none" | "one" | "each";
  /** Row i of what is seen is row (i + sourceRow) mod height of the picture. */
  readonly sourceRow: number;
  readonly sourceColumn: number;
  /** Row a of a view as it is stored is row (a + viewRow) mod rows of the window. */
  readonly viewRow: number;
  readonly viewColumn: number;
}

export const windowLength = ({ windows, views, rows, columns }: ViewParams) =>
  windows === "none" ? 0 : 2 * rows * columns * (windows === "each" ? views : 1);

/** Numbers of the pictures. */
export const pictureLength = ({ batch, channels, height, width, as }: ViewParams) =>
  batch * channels * height * width * (as === "planes" || as === "spectrum" ? 2 : 1);

export const viewLength = ({ batch, channels, views, rows, columns }: ViewParams) =>
  2 * batch * channels * views * rows * columns;

/** Half of the contracts of view-take and view-combine, its adjoint. */
export function viewKernel(name: string) {
  return {
    name,
    group: "operators",
    counts: ({ batch, channels, height, width, views, rows, columns }: ViewParams) => ({
      batch,
      channels,
      height,
      width,
      views,
      rows,
      columns,
    }),
    check({ sourceRow, sourceColumn, viewRow, viewColumn }: ViewParams) {
      for (const [key, value] of Object.entries({ sourceRow, sourceColumn, viewRow, viewColumn }))
        nonNegativeInteger(name, key, value);
    },
    tolerance: { f32: 1e-6, f16: 1e-6 },
  };
}

export const viewPrelude = ({ as, windows }: ViewParams) =>
  [
    ...["object", "real", "planes", "spectrum"].map((name, i) => `const ${name.toUpperCase()} = ${i}u;`),
    `const AS = ${as.toUpperCase()};`,
    `const WINDOW: bool = ${windows !== "none"};`,
    `const EACH: bool = ${windows === "each"};`,
  ].join("\n");

/** Index maps: where entry (row, column) of view `view` comes from in a picture, and its weight; undefined outside of it. */
export function viewed(params: ViewParams, positions: ArrayLike<number>, window: ArrayLike<number> | undefined) {
  const { height, width, rows, columns, windows, sourceRow, sourceColumn, viewRow, viewColumn } = params;
  return (view: number, row: number, column: number) => {
    const [a, b] = [(row + viewRow) % rows, (column + viewColumn) % columns];
    const [top, left] = [positions[2 * view]!, positions[2 * view + 1]!];
    const at = 2 * ((windows === "each" ? view * rows : 0) * columns + a * columns + b);
    return {
      pixel: ((top + a + sourceRow) % height) * width + ((left + b + sourceColumn) % width),
      weight: windows === "none" ? ([1, 0] as const) : ([window![at]!, window![at + 1]!] as const),
    };
  };
}

const plain = { sourceRow: 0, sourceColumn: 0, viewRow: 0, viewColumn: 0 };

/** Pictures of every kind, whole and in parts. */
export const viewCases: [name: string, params: ViewParams][] = [
  [
    "one value",
    { batch: 1, channels: 1, height: 1, width: 1, views: 1, rows: 1, columns: 1, as: "real", windows: "one", ...plain },
  ],
  [
    "masks of objects",
    {
      batch: 2,
      channels: 3,
      height: 9,
      width: 7,
      views: 3,
      rows: 9,
      columns: 7,
      as: "object",
      windows: "each",
      ...plain,
    },
  ],
  [
    "coils, centred",
    {
      batch: 2,
      channels: 1,
      height: 9,
      width: 12,
      views: 4,
      rows: 9,
      columns: 12,
      as: "planes",
      windows: "each",
      ...plain,
      viewRow: 4,
      viewColumn: 6,
    },
  ],
  [
    "one probe",
    {
      batch: 2,
      channels: 2,
      height: 14,
      width: 12,
      views: 5,
      rows: 6,
      columns: 5,
      as: "object",
      windows: "one",
      ...plain,
    },
  ],
  [
    "crops of a spectrum",
    {
      batch: 1,
      channels: 1,
      height: 13,
      width: 12,
      views: 3,
      rows: 5,
      columns: 5,
      as: "spectrum",
      windows: "one",
      sourceRow: 7,
      sourceColumn: 6,
      viewRow: 2,
      viewColumn: 2,
    },
  ],
  [
    "a picture",
    {
      batch: 2,
      channels: 1,
      height: 64,
      width: 64,
      views: 1,
      rows: 64,
      columns: 64,
      as: "planes",
      windows: "none",
      ...plain,
      viewRow: 32,
      viewColumn: 32,
    },
  ],
];

/** Positions that keep every view inside, overlapping. */
export function viewCase([name, params]: [string, ViewParams]): Case<ViewParams> {
  const { height, width, rows, columns } = params;
  const inputs = (buffer: string, length: number): Uint32Array | undefined =>
    buffer === "positions"
      ? Uint32Array.from({ length }, (_, i) => (3 * i) % (i % 2 === 0 ? height - rows + 1 : width - columns + 1))
      : undefined;
  return { name, params, inputs };
}
