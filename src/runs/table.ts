import { columnsOf, shortened } from "./columns.js";
import { styled } from "./terminal.js";

const FIGURE = /^([-+±]?\d[\d.,]*(e[-+]?\d+)?[%x]?|-|WRONG)?$/;
const LEAST = 12;

export interface TableOptions {
  /** Titles of the columns whose cells may lose their middle where the lines are too long. */
  readonly cut?: readonly string[];
  /** Columns of the terminal; without one (a pipe, a file) nothing is cut. */
  readonly width?: number;
  /** Spaces between columns. */
  readonly gap?: number;
  readonly indent?: number;
  /** Without the line of titles. */
  readonly bare?: boolean;
  /** Rows that are the best, by their index. */
  readonly best?: readonly number[];
  /** Where the lines go: it says whether titles and best rows are coloured. Default stdout. */
  readonly stream?: NodeJS.WriteStream;
}

/** Of reports that terminals show and files keep: 80 columns wherever they go. */
export const PAGE = { width: 80, gap: 1 } as const;

/** All texts of a column in so much width, cut where they can be told apart as long as there is such a place. */
function toldApart(texts: readonly string[], width: number): Map<string, string> {
  const found = new Map<string, string>();
  const taken = new Set<string>();
  for (const text of new Set(texts)) {
    const middle = width >> 1;
    // The middle, and places further and further from it.
    const tails = Array.from({ length: width }, (_, i) => middle + (i % 2 === 0 ? i / 2 : -(i + 1) / 2));
    const cuts = tails.filter((tail) => tail >= 0 && tail < width).map((tail) => shortened(text, width, tail));
    const cut = cuts.find((one) => !taken.has(one)) ?? cuts[0]!;
    found.set(text, cut);
    taken.add(cut);
  }
  return found;
}

/**
 * The lines of a table: every column as wide as its longest cell, those of figures to the right, and no line longer than the
 * terminal as long as there is something to cut. Cells that differ are cut so that they still do, where that can be. Cells hold one line each; `undefined` is an empty one.
 */
export function table(
  titles: readonly string[],
  rows: readonly (readonly (string | undefined)[])[],
  options: TableOptions = {},
): string[] {
  const { cut = [], gap = 2, indent = 0, bare = false, best = [], stream = process.stdout } = options;
  // Some terminals say that they have none.
  const { width = stream.columns || Infinity } = options;
  const cells = rows.map((row) => titles.map((_, i) => row[i] ?? ""));
  const right = titles.map((_, i) => cells.every((row) => FIGURE.test(row[i]!)));
  const shown = bare ? cells : [[...titles], ...cells];
  const widths = titles.map((_, i) => Math.max(0, ...shown.map((row) => columnsOf(row[i]!))));
  const flexible = titles.flatMap((title, i) => (cut.includes(title) ? [i] : []));
  for (
    let excess = indent + gap * (titles.length - 1) + widths.reduce((a, b) => a + b, 0) - width;
    excess > 0;
    excess--
  ) {
    const widest = flexible.reduce<number>((best, i) => (widths[i]! > (widths[best] ?? LEAST) ? i : best), -1);
    if (widest < 0) break;
    widths[widest]!--;
  }
  const cuts = new Map(
    flexible.map((i) => [
      i,
      toldApart(
        shown.map((row) => row[i]!),
        widths[i]!,
      ),
    ]),
  );
  const plain = shown.map((row) => {
    const line = row.map((cell, i) => {
      const text = cuts.get(i)?.get(cell) ?? cell;
      const padding = " ".repeat(Math.max(0, widths[i]! - columnsOf(text)));
      return right[i] ? `${padding}${text}` : `${text}${padding}`;
    });
    return `${" ".repeat(indent)}${line.join(" ".repeat(gap))}`.trimEnd();
  });
  const titled = bare ? 0 : 1;
  return plain.map((line, i) => {
    if (i < titled) return styled("heading", line, stream);
    return best.includes(i - titled) ? styled("best", line, stream) : line;
  });
}
