import type { Cell, Sheet } from "./sheet.js";

/** Columns of about the shape of a screen. */
const screen = (count: number) => Math.max(1, Math.ceil(Math.sqrt(count * 1.4)));

/** The share of places that rows of groups have to fill. */
const FULL = 2 / 3;

/** Cells in reading order, in so many columns or about the shape of a screen. */
export function inOrder(cells: readonly Cell[], columns = screen(cells.length)): Sheet["rows"] {
  const wide = Math.max(1, Math.min(columns, cells.length));
  return Array.from({ length: Math.ceil(cells.length / wide) }, (_, r) => ({
    cells: Array.from({ length: wide }, (_, c) => cells[r * wide + c]),
  }));
}

/**
 * Cells by what group they belong to, in the groups' order: a group a row, or several where it is long. Where that would leave much
 * of the sheet empty, or make it a tower, they are set one after the other, each cell with its group's name.
 * @param groups of every cell
 * @param names of the groups
 */
export function grouped(
  cells: readonly Cell[],
  groups: readonly number[],
  names: (group: number) => string,
): Sheet["rows"] {
  const order = [...new Set(groups)].sort((a, b) => a - b);
  const members = order.map((group) => cells.filter((_, i) => groups[i] === group));
  const columns = Math.min(Math.max(screen(cells.length), 8), Math.max(...members.map((own) => own.length)));
  const rows = members.flatMap((own, g) =>
    Array.from({ length: Math.ceil(own.length / columns) }, (_, r) => ({
      ...(r === 0 ? { label: names(order[g]!) } : {}),
      cells: Array.from({ length: columns }, (_, c) => own[r * columns + c]),
    })),
  );
  if (3 * columns >= rows.length && cells.length >= FULL * rows.length * columns) return rows;
  return inOrder(
    members.flatMap((own, g) =>
      own.map((cell) => ({ ...cell, label: [names(order[g]!), cell.label].filter(Boolean).join("\n") })),
    ),
  );
}
