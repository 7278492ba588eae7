import { NcvsdError } from "../errors.js";
import { Canvas, type Colour, type TextSize } from "./canvas.js";
import { ASCENT, GLYPH_HEIGHT, textWidth } from "./font.js";
import type { RawImage } from "./pixels.js";

/** One place of a sheet: a picture and up to a few lines ("\n") under it. */
export interface Cell {
  image: RawImage;
  label?: string;
}

/** Columns that belong together, under one heading. */
export interface ColumnGroup {
  label?: string;
  /** One entry a column; an empty string leaves it without a heading of its own. */
  columns: readonly string[];
}

/** What a sheet shows. Every row has one cell (or `undefined`: left empty) for each column of all groups. */
export interface Sheet {
  title?: string;
  /** Smaller, under the title. */
  subtitle?: string;
  /** Absent: one group without headings. */
  groups?: readonly ColumnGroup[];
  rows: readonly { label?: string; cells: readonly (Cell | undefined)[] }[];
  /** Pixels of the sheet for one of the largest picture's; absent: the first whole number that makes it 80 or more wide. */
  scale?: number;
}

/** Pixels that a sheet may have. */
const MAX_SHEET_PIXELS = 1 << 26;
/** Letters of any one label: longer ones end in "..". */
const MAX_LABEL = 60;

const INK: Colour = [34, 34, 40];
const SOFT: Colour = [104, 104, 116];
const RULE: Colour = [196, 196, 206];
const FRAME: Colour = [222, 222, 228];

const MARGIN = 16;
const GAP = 6;
const GROUP_GAP = 26;

/** Height of a line of text and the space under it. */
const lineHeight = (size: TextSize) => (GLYPH_HEIGHT + 1) * size;
const shorten = (text: string) => (text.length > MAX_LABEL ? `${text.slice(0, MAX_LABEL - 2)}..` : text);
const linesOf = (cell: Cell | undefined) => (cell?.label ? cell.label.split("\n").map(shorten) : []);
const widest = (lines: readonly string[]) => lines.reduce((width, line) => Math.max(width, textWidth(line)), 0);

/**
 * A labelled sheet of pictures as one RGB picture: dark text on white, pictures enlarged by whole factors (nearest neighbour);
 * a picture smaller than the largest is enlarged by as much as fits its place, and centred.
 * @throws NcvsdError BAD_ARGUMENT when there is nothing to show, a row has another number of cells than there are columns,
 *   the scale is no positive whole number, or the sheet would be too large.
 */
export function makeGrid(sheet: Sheet): RawImage {
  const layout = layOut(sheet);
  if (layout.width * layout.height > MAX_SHEET_PIXELS) {
    throw new NcvsdError(
      "BAD_ARGUMENT",
      `a sheet of ${layout.width}x${layout.height} pixels is too large: show fewer images or use a smaller scale`,
    );
  }
  const canvas = new Canvas(layout.width, layout.height);
  drawHeadings(canvas, sheet, layout);
  sheet.rows.forEach((row, r) => {
    const top = layout.rowsTop + r * layout.rowPitch;
    if (row.label) {
      const y = top + Math.round((layout.cell.height - ASCENT * 2) / 2);
      canvas.text(shorten(row.label), layout.columnsLeft - GAP * 2, y, 2, INK, "right");
    }
    row.cells.forEach((cell, c) => {
      if (cell) drawCell(canvas, cell, layout.columnX[c]!, top, layout);
    });
  });
  return canvas.image;
}

/** Cells in reading order as a sheet of about the shape of a screen, or of so many columns. */
export function contactSheet(
  cells: readonly Cell[],
  options: { columns?: number; title?: string; subtitle?: string; scale?: number } = {},
): RawImage {
  const { columns: wanted, ...rest } = options;
  const columns = Math.min(wanted ?? Math.max(1, Math.ceil(Math.sqrt(cells.length * 1.4))), cells.length);
  const rows = Array.from({ length: Math.ceil(cells.length / Math.max(columns, 1)) }, (_, r) => ({
    cells: Array.from({ length: columns }, (_, c) => cells[r * columns + c]),
  }));
  return makeGrid({ ...rest, rows });
}

interface Layout {
  width: number;
  height: number;
  groups: readonly ColumnGroup[];
  /** The place of a picture. */
  cell: { width: number; height: number };
  /** From one column to the next within a group. */
  columnPitch: number;
  /** Left edge of every column's place for a picture. */
  columnX: number[];
  columnsLeft: number;
  rowsTop: number;
  rowPitch: number;
  labelSize: TextSize;
  headingSize: TextSize;
}

function layOut(sheet: Sheet): Layout {
  const cells = sheet.rows.flatMap((row) => row.cells.filter((cell) => cell !== undefined));
  if (cells.length === 0) throw new NcvsdError("BAD_ARGUMENT", "a sheet needs at least one image");
  const groups = sheet.groups ?? [{ columns: sheet.rows[0]!.cells.map(() => "") }];
  const headings = groups.flatMap((group) => group.columns.map(shorten));
  sheet.rows.forEach((row, r) => {
    if (row.cells.length !== headings.length) {
      throw new NcvsdError(
        "BAD_ARGUMENT",
        `row ${r} of the sheet has ${row.cells.length} cells for ${headings.length} columns`,
      );
    }
  });
  const imageWidth = Math.max(...cells.map(({ image }) => image.width));
  const imageHeight = Math.max(...cells.map(({ image }) => image.height));
  const scale = sheet.scale ?? Math.max(1, Math.ceil(80 / imageWidth));
  if (!Number.isInteger(scale) || scale < 1) {
    throw new NcvsdError("BAD_ARGUMENT", `a sheet's scale must be a whole number from 1 on, not ${scale}`);
  }
  const cell = { width: imageWidth * scale, height: imageHeight * scale };

  // Labels are doubled where all of them still fit over or under their pictures; else places grow until they fit.
  const lines = cells.map(linesOf);
  const fits = (texts: readonly string[]): TextSize => (widest(texts) * 2 <= cell.width ? 2 : 1);
  const labelSize = fits(lines.flat());
  const headingSize = fits(headings);
  const columnWidth = Math.max(cell.width, widest(lines.flat()) * labelSize, widest(headings) * headingSize);
  const columnPitch = columnWidth + GAP;

  const rowLabels = widest(sheet.rows.map((row) => shorten(row.label ?? ""))) * 2;
  const columnsLeft = MARGIN + (rowLabels ? rowLabels + GAP * 2 : 0);
  const columnX: number[] = [];
  let x = columnsLeft;
  for (const group of groups) {
    const natural = group.columns.length * columnPitch - GAP;
    const width = Math.max(natural, textWidth(shorten(group.label ?? "")) * 2);
    const inset = Math.floor((width - natural + columnWidth - cell.width) / 2);
    group.columns.forEach((_, c) => {
      columnX.push(x + inset + c * columnPitch);
    });
    x += width + GROUP_GAP;
  }

  const title = sheet.title ? lineHeight(2) + GAP : 0;
  const subtitle = sheet.subtitle ? lineHeight(1) + GAP : 0;
  const groupHeading = groups.some((group) => group.label) ? lineHeight(2) + GAP : 0;
  const columnHeading = headings.some((heading) => heading) ? lineHeight(headingSize) + 2 : 0;
  const rowsTop = MARGIN + title + subtitle + (title || subtitle ? GAP : 0) + groupHeading + columnHeading;
  const labelLines = Math.max(...lines.map((label) => label.length));
  const rowPitch = cell.height + (labelLines ? 4 + labelLines * lineHeight(labelSize) + GAP : GAP);
  const titles = Math.max(textWidth(shorten(sheet.title ?? "")) * 2, textWidth(sheet.subtitle ?? ""));
  return {
    width: Math.max(x - GROUP_GAP, MARGIN + titles) + MARGIN,
    height: rowsTop + sheet.rows.length * rowPitch - GAP + MARGIN,
    groups,
    cell,
    columnPitch,
    columnX,
    columnsLeft,
    rowsTop,
    rowPitch,
    labelSize,
    headingSize,
  };
}

function drawHeadings(canvas: Canvas, sheet: Sheet, layout: Layout): void {
  let y = MARGIN;
  if (sheet.title) {
    canvas.text(shorten(sheet.title), MARGIN, y, 2, INK);
    y += lineHeight(2) + GAP;
  }
  if (sheet.subtitle) {
    canvas.text(sheet.subtitle, MARGIN, y, 1, SOFT);
    y += lineHeight(1) + GAP;
  }
  if (y > MARGIN) y += GAP;
  const grouped = layout.groups.some((group) => group.label);
  let c = 0;
  for (const group of layout.groups) {
    const left = layout.columnX[c]!;
    const right = layout.columnX[c + group.columns.length - 1]! + layout.cell.width;
    if (group.label) {
      canvas.text(shorten(group.label), (left + right) / 2, y, 2, INK, "center");
      canvas.fill(left, y + lineHeight(2), right - left, 1, RULE);
    }
    group.columns.forEach((heading, i) => {
      const x = layout.columnX[c + i]! + layout.cell.width / 2;
      const top = y + (grouped ? lineHeight(2) + GAP : 0);
      if (heading) canvas.text(shorten(heading), x, top, layout.headingSize, grouped ? SOFT : INK, "center");
    });
    c += group.columns.length;
  }
}

function drawCell(canvas: Canvas, cell: Cell, x: number, top: number, layout: Layout): void {
  const { image } = cell;
  const scale = Math.floor(Math.min(layout.cell.width / image.width, layout.cell.height / image.height));
  const width = image.width * scale;
  const height = image.height * scale;
  const left = x + Math.floor((layout.cell.width - width) / 2);
  const y = top + Math.floor((layout.cell.height - height) / 2);
  canvas.fill(left - 1, y - 1, width + 2, height + 2, FRAME);
  canvas.draw(image, left, y, scale);
  linesOf(cell).forEach((line, i) => {
    const lineTop = top + layout.cell.height + 4 + i * lineHeight(layout.labelSize);
    canvas.text(line, x + layout.cell.width / 2, lineTop, layout.labelSize, i === 0 ? INK : SOFT, "center");
  });
}
