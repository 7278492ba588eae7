import { NcvsdError } from "../errors.js";
import { escapeXml } from "../evaluate/svg.js";
import type { RawImage } from "../image/pixels.js";
import { encodePng } from "../image/png.js";
import { FAMILY, fitted, fontFaces, textWidth, type Weight, wrapped, written } from "./font.js";
import { svgToPng } from "./rasterise.js";

/** One place of a sheet: a picture and up to a few lines ("\n") under it. */
export interface Cell {
  readonly image: RawImage;
  readonly label?: string;
  /** In a frame: the one to look at. */
  readonly marked?: boolean;
  /** The scale of a map, under it: its colours from low to high, and what the ends stand for. */
  readonly scale?: { readonly colours: readonly string[]; readonly low: string; readonly high: string };
}

/** Columns that belong together, under one heading. */
export interface ColumnGroup {
  readonly label?: string;
  /** One entry a column; an empty string leaves it without a heading of its own. */
  readonly columns: readonly string[];
}

/** What a sheet shows. Every row has one cell (or `undefined`: left empty) for each column of all groups. */
export interface Sheet {
  readonly title?: string;
  /** Below everything, in as many lines as it takes. */
  readonly caption?: string;
  /** Absent: one group without headings. */
  readonly groups?: readonly ColumnGroup[];
  readonly rows: readonly { readonly label?: string; readonly cells: readonly (Cell | undefined)[] }[];
  /** A picture's least width on the sheet; it is enlarged by whole factors. Default 80. */
  readonly least?: number;
}

/** Pixels that a sheet may have; below SHARP it is drawn at twice its size. */
const MAX_PIXELS = 2 ** 25;
const SHARP = 2 ** 22;

const INK = "#222";
const SOFT = "#606060";
const RULE = "#c4c4c4";
const FRAME = "#ddd";
/** Of Okabe and Ito's colours. */
const MARK = "#0072b2";

const MARGIN = 16;
const GAP = 8;
const GROUP_GAP = 24;
const BODY = 11;
const HEAD = 12;
const TITLE = 15;
/** From one line of text to the next, by its size. */
const LINE = 1.3;
const SCALE_BAR = 7;
/** The narrowest that titles and captions are set, and the widest that texts may make columns and rows' labels. */
const MEASURE = 320;
const WIDEST = 150;

const linesOf = (cell: Cell | undefined) => (cell?.label ? cell.label.split("\n").map(written) : []);
const widest = (texts: readonly string[], size: number, weight?: Weight) =>
  texts.reduce((width, text) => Math.max(width, textWidth(text, size, weight)), 0);

interface Layout {
  readonly width: number;
  readonly height: number;
  readonly groups: readonly ColumnGroup[];
  /** Pixels of the sheet for one of a picture's, where it is the largest. */
  readonly cell: { readonly width: number; readonly height: number };
  /** The widest that a text over or under a picture may be. */
  readonly columnWidth: number;
  /** Middle of every column. */
  readonly columnX: readonly number[];
  readonly rowLabels: readonly (readonly string[])[];
  readonly labelsRight: number;
  readonly title: readonly string[];
  readonly caption: readonly string[];
  readonly headingsTop: number;
  readonly rowsTop: number;
  readonly rowPitch: number;
}

function layOut(sheet: Sheet): Layout {
  const cells = sheet.rows.flatMap((row) => row.cells.filter((cell) => cell !== undefined));
  if (cells.length === 0) throw new NcvsdError("BAD_ARGUMENT", "a sheet needs at least one image");
  const groups = sheet.groups ?? [{ columns: sheet.rows[0]!.cells.map(() => "") }];
  const headings = groups.flatMap((group) => group.columns.map(written));
  sheet.rows.forEach((row, r) => {
    if (row.cells.length !== headings.length) {
      const wrong = `row ${r} of the sheet has ${row.cells.length} cells for ${headings.length} columns`;
      throw new NcvsdError("BAD_ARGUMENT", wrong);
    }
  });
  const imageWidth = Math.max(...cells.map(({ image }) => image.width));
  const imageHeight = Math.max(...cells.map(({ image }) => image.height));
  const factor = Math.max(1, Math.ceil((sheet.least ?? 80) / imageWidth));
  const cell = { width: imageWidth * factor, height: imageHeight * factor };
  const texts = cells.flatMap(linesOf);
  const wanted = Math.max(widest(texts, BODY, "bold"), widest(headings, HEAD, "bold"));
  const columnWidth = Math.ceil(Math.max(cell.width, Math.min(wanted, WIDEST)));
  // Texts that are wider than their pictures need a little more air between them.
  const gap = columnWidth > cell.width ? GAP + 4 : GAP;

  const rowLabels = sheet.rows.map(({ label }) => {
    const lines = wrapped(written(label ?? ""), WIDEST, HEAD).map((line) => fitted(line, WIDEST, HEAD));
    return lines.length > 3 ? [...lines.slice(0, 2), fitted(`${lines.slice(2).join(" ")}…`, WIDEST, HEAD)] : lines;
  });
  const labelWidth = Math.ceil(Math.max(0, ...rowLabels.map((lines) => widest(lines, HEAD))));
  const labelsRight = MARGIN + labelWidth;
  const columnX: number[] = [];
  let x = labelWidth > 0 ? labelsRight + 2 * GAP : MARGIN;
  for (const group of groups) {
    for (const _ of group.columns) {
      columnX.push(x + columnWidth / 2);
      x += columnWidth + gap;
    }
    x += GROUP_GAP - gap;
  }
  const content = x - GROUP_GAP;
  const { title, caption } = sheet;
  const inner = Math.max(content - MARGIN, title || caption ? MEASURE : 0);
  const titles = title ? wrapped(written(title), inner, TITLE, "bold").map((l) => fitted(l, inner, TITLE, "bold")) : [];
  const captions = caption ? wrapped(written(caption), inner, BODY).map((l) => fitted(l, inner, BODY)) : [];

  const headingsTop = MARGIN + (titles.length > 0 ? titles.length * TITLE * LINE + GAP : 0);
  const groupHeading = groups.some((group) => group.label) ? HEAD * LINE + GAP : 0;
  const columnHeading = headings.some((heading) => heading) ? HEAD * LINE + 3 : 0;
  const rowsTop = Math.ceil(headingsTop + groupHeading + columnHeading);
  const under = Math.max(
    ...cells.map((c) => linesOf(c).length * BODY * LINE + (c.scale ? SCALE_BAR + 5 + BODY * LINE : 0)),
  );
  const rowPitch = Math.ceil(cell.height + (under > 0 ? 4 + under + GAP : GAP));
  const foot = captions.length > 0 ? captions.length * BODY * LINE + GAP : 0;
  return {
    width: Math.ceil(inner + 2 * MARGIN),
    height: Math.ceil(rowsTop + sheet.rows.length * rowPitch - GAP + foot + MARGIN),
    ...{ groups, cell, columnWidth, columnX, rowLabels, labelsRight },
    ...{ title: titles, caption: captions, headingsTop, rowsTop, rowPitch },
  };
}

/** A layout that can be drawn. @throws NcvsdError BAD_ARGUMENT as `sheetSvg` */
export function checkSheet(sheet: Sheet): Layout {
  const layout = layOut(sheet);
  const { width, height } = layout;
  if (width * height > MAX_PIXELS)
    throw new NcvsdError("BAD_ARGUMENT", `a sheet of ${width}x${height} pixels is too large: show fewer images`);
  return layout;
}

const number = (v: number) => String(Number(v.toFixed(2)));

interface TextStyle {
  readonly size?: number;
  readonly weight?: Weight;
  readonly fill?: string;
  readonly anchor?: "start" | "middle" | "end";
}

/** A line of text, the top of its line at y. */
function text(line: string, x: number, y: number, { size = BODY, weight, fill, anchor }: TextStyle = {}): string {
  const style = [
    weight === "bold" ? ' font-weight="700"' : "",
    size === BODY ? "" : ` font-size="${size}"`,
    fill && fill !== INK ? ` fill="${fill}"` : "",
    anchor && anchor !== "start" ? ` text-anchor="${anchor}"` : "",
  ].join("");
  return `<text x="${number(x)}" y="${number(y + size)}"${style}>${escapeXml(line)}</text>`;
}

/**
 * A labelled sheet of pictures as an SVG: dark text on white, pictures enlarged by whole factors, pixel by pixel; one smaller than the
 * largest is enlarged by as much as fits its place, and centred.
 * @throws NcvsdError BAD_ARGUMENT when there is nothing to show, a row has another number of cells than there are columns, or the
 *   sheet would be too large
 */
function sheetSvg(sheet: Sheet): string {
  const layout = checkSheet(sheet);
  const { width, height, rowsTop, rowPitch, columnX, cell } = layout;
  const out = [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" data-made-by="ncvsd-gpu" font-family="${FAMILY},system-ui,sans-serif" font-size="${BODY}" fill="${INK}">`,
    `<rect width="${width}" height="${height}" fill="#fff"/>`,
  ];
  layout.title.forEach((line, i) => {
    out.push(text(line, MARGIN, MARGIN + i * TITLE * LINE, { size: TITLE, weight: "bold" }));
  });
  out.push(...headingTexts(layout));
  sheet.rows.forEach((row, r) => {
    const top = rowsTop + r * rowPitch;
    const lines = layout.rowLabels[r]!;
    lines.forEach((line, i) => {
      const y = top + (cell.height - lines.length * HEAD * LINE) / 2 + i * HEAD * LINE;
      out.push(text(line, layout.labelsRight, y, { size: HEAD, anchor: "end" }));
    });
    row.cells.forEach((one, c) => {
      if (one) out.push(...cellParts(one, columnX[c]!, top, layout));
    });
  });
  const foot = rowsTop + sheet.rows.length * rowPitch;
  layout.caption.forEach((line, i) => {
    out.push(text(line, MARGIN, foot + i * BODY * LINE, { fill: SOFT }));
  });
  return `${out.join("\n")}\n</svg>\n`;
}

function headingTexts({ groups, columnX, columnWidth, headingsTop }: Layout): string[] {
  const out: string[] = [];
  const grouped = groups.some((group) => group.label);
  let c = 0;
  for (const { label, columns } of groups) {
    const left = columnX[c]! - columnWidth / 2;
    const right = columnX[c + columns.length - 1]! + columnWidth / 2;
    if (label) {
      const line = fitted(written(label), right - left, HEAD, "bold");
      out.push(text(line, (left + right) / 2, headingsTop, { size: HEAD, weight: "bold", anchor: "middle" }));
      const y = number(headingsTop + HEAD * LINE + 2);
      out.push(`<path d="M${number(left)} ${y}H${number(right)}" stroke="${RULE}"/>`);
    }
    columns.forEach((heading, i) => {
      if (!heading) return;
      const top = headingsTop + (grouped ? HEAD * LINE + GAP : 0);
      const line = fitted(written(heading), columnWidth, HEAD, "bold");
      out.push(text(line, columnX[c + i]!, top, { size: HEAD, weight: "bold", anchor: "middle" }));
    });
    c += columns.length;
  }
  return out;
}

/** A cell whose place is centred at x. */
function cellParts(one: Cell, x: number, top: number, { cell, columnWidth }: Layout): string[] {
  const { image, marked = false, scale } = one;
  const factor = Math.max(1, Math.floor(Math.min(cell.width / image.width, cell.height / image.height)));
  const [width, height] = [image.width * factor, image.height * factor];
  // Whole pixels: a picture in between would be blurred.
  const left = Math.round(x - width / 2);
  const y = top + Math.round((cell.height - height) / 2);
  const png = Buffer.from(encodePng(image)).toString("base64");
  const [out, line] = marked ? [1.5, 3] : [0.5, 1];
  const parts = [
    `<rect x="${left - out}" y="${y - out}" width="${width + 2 * out}" height="${height + 2 * out}" fill="none" stroke="${marked ? MARK : FRAME}" stroke-width="${line}"/>`,
    `<image x="${left}" y="${y}" width="${width}" height="${height}" preserveAspectRatio="none" image-rendering="optimizeSpeed" href="data:image/png;base64,${png}"/>`,
  ];
  let below = top + cell.height + 4;
  if (scale) {
    const step = cell.width / scale.colours.length;
    const from = x - cell.width / 2;
    const bars = scale.colours.map(
      (colour, i) =>
        `<rect x="${number(from + i * step)}" y="${below}" width="${number(step + 0.5)}" height="${SCALE_BAR}" fill="${colour}"/>`,
    );
    parts.push(`<g shape-rendering="crispEdges">${bars.join("")}</g>`);
    below += SCALE_BAR + 2;
    parts.push(text(scale.low, from, below, { fill: SOFT }));
    parts.push(text(scale.high, from + cell.width, below, { fill: SOFT, anchor: "end" }));
    below += BODY * LINE + 3;
  }
  linesOf(one).forEach((words, i) => {
    const first = i === 0;
    const weight = marked && first ? "bold" : "regular";
    const line = fitted(words, columnWidth, BODY, weight);
    const fill = first ? (marked ? MARK : INK) : SOFT;
    parts.push(text(line, x, below + i * BODY * LINE, { weight, fill, anchor: "middle" }));
  });
  return parts;
}

/** A sheet as a PNG file, at twice its size where that stays small. */
export async function sheetPng(sheet: Sheet, text: Readonly<Record<string, string>>): Promise<Uint8Array> {
  const { width, height } = checkSheet(sheet);
  return svgToPng(sheetSvg(sheet), { zoom: width * height > SHARP ? 1 : 2, text });
}

/** A sheet as the file that a path's name asks for: .svg, with its font in it, or PNG. */
export async function sheetFile(
  path: string,
  sheet: Sheet,
  text: Readonly<Record<string, string>>,
): Promise<Uint8Array> {
  if (/\.svg$/i.test(path)) {
    const svg = sheetSvg(sheet);
    return new TextEncoder().encode(svg.replace("\n", `\n<style>${fontFaces(svg)}</style>`));
  }
  return sheetPng(sheet, text);
}
