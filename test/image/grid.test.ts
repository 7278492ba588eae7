import { describe, expect, test } from "vitest";
import { NcvsdError } from "../../src/errors.js";
import { Canvas } from "../../src/image/canvas.js";
import { drawText, GLYPH_HEIGHT, printable, textWidth } from "../../src/image/font.js";
import { type Cell, contactSheet, makeGrid } from "../../src/image/grid.js";
import type { RawImage } from "../../src/image/pixels.js";

const RED = [200, 30, 40] as const;
const flat = (width: number, height: number, [r, g, b]: readonly number[] = RED): RawImage => ({
  width,
  height,
  channels: 3,
  data: Uint8Array.from({ length: width * height * 3 }, (_, i) => [r!, g!, b!][i % 3]!),
});
const at = ({ width, data }: RawImage, x: number, y: number) => [
  ...data.subarray((y * width + x) * 3, (y * width + x) * 3 + 3),
];

/** The places of a colour: top left corners of its squares, and how many pixels have it. */
function find(sheet: RawImage, colour: readonly number[]) {
  const corners: [number, number][] = [];
  let count = 0;
  const is = (x: number, y: number) =>
    x >= 0 && y >= 0 && x < sheet.width && at(sheet, x, y).every((v, i) => v === colour[i]);
  for (let y = 0; y < sheet.height; y++) {
    for (let x = 0; x < sheet.width; x++) {
      if (!is(x, y)) continue;
      count++;
      if (!is(x - 1, y) && !is(x, y - 1)) corners.push([x, y]);
    }
  }
  return { corners, count };
}

/** Pixels darker than a mid grey: text. */
const ink = ({ data }: RawImage) => data.filter((v, i) => i % 3 === 0 && v < 120 && data[i + 1]! < 120).length;

describe("the font", () => {
  const glyph = (c: string) => {
    const points: string[] = [];
    drawText(c, (x, y) => points.push(`${x},${y}`));
    return points.join(" ");
  };
  const ascii = Array.from({ length: 95 }, (_, i) => String.fromCharCode(32 + i));

  test("has every printable ASCII character, no two alike, capitals and small letters different", () => {
    expect(new Set(ascii.map(glyph)).size).toBe(95);
    for (const c of ascii) {
      expect(printable(c)).toBe(c);
      expect(glyph(c).length > 0).toBe(c !== " ");
    }
  });

  test("stays inside its box, and widths add up", () => {
    drawText(ascii.join(""), (x, y) => {
      expect(x).toBeGreaterThanOrEqual(0);
      expect(x).toBeLessThan(textWidth(ascii.join("")));
      expect(y).toBeGreaterThanOrEqual(0);
      expect(y).toBeLessThan(GLYPH_HEIGHT);
    });
    expect(textWidth("ab")).toBe(textWidth("a") + 1 + textWidth("b"));
    expect(textWidth("")).toBe(0);
  });

  test("accents are dropped, other characters become question marks", () => {
    expect(printable("Café Zürich 服👕")).toBe("Cafe Zurich ??");
  });

  test("double size is twice as wide and keeps square corners", () => {
    const canvas = new Canvas(20, 20);
    canvas.text("E", 2, 1, 2, [0, 0, 0]);
    const { corners, count } = find(canvas.image, [0, 0, 0]);
    expect(corners[0]).toEqual([2, 1]);
    let single = 0;
    drawText("E", () => single++);
    expect(count).toBe(single * 4);
  });
});

describe("a sheet", () => {
  test("shows every picture enlarged by a whole factor, at the same place whatever the labels", () => {
    const cells: Cell[] = Array.from({ length: 6 }, () => ({ image: flat(8, 6) }));
    const sheet = contactSheet(cells, { columns: 3, scale: 4 });
    const { corners, count } = find(sheet, RED);
    expect(count).toBe(6 * 8 * 6 * 16);
    expect(corners).toHaveLength(6);
    expect(new Set(corners.map(([x]) => x)).size).toBe(3);
    expect(new Set(corners.map(([, y]) => y)).size).toBe(2);
  });

  test("every pixel of a picture is a square of its colour", () => {
    const image: RawImage = { width: 2, height: 2, channels: 1, data: Uint8Array.of(10, 90, 170, 250) };
    const sheet = contactSheet([{ image }], { scale: 5 });
    const [left, top] = find(sheet, [10, 10, 10]).corners[0]!;
    for (let y = 0; y < 10; y++) {
      for (let x = 0; x < 10; x++) {
        const v = image.data[(y < 5 ? 0 : 2) + (x < 5 ? 0 : 1)]!;
        expect(at(sheet, left + x, top + y)).toEqual([v, v, v]);
      }
    }
  });

  test("small pictures are enlarged by themselves until they can be seen", () => {
    expect(find(contactSheet([{ image: flat(32, 32) }]), RED).count).toBe(96 * 96);
    expect(find(contactSheet([{ image: flat(256, 256) }]), RED).count).toBe(256 * 256);
  });

  test("a picture smaller than the others is centred in its place by a whole factor", () => {
    const sheet = makeGrid({
      rows: [{ cells: [{ image: flat(16, 16) }, { image: flat(5, 5, [1, 2, 250]) }] }],
      scale: 2,
    });
    const big = find(sheet, RED);
    const small = find(sheet, [1, 2, 250]);
    expect(small.count).toBe(30 * 30);
    expect(small.corners[0]![1]).toBe(big.corners[0]![1] + 1);
  });

  test("titles, headings, row names and labels all leave ink, and groups stand apart", () => {
    const rows = ["Trouser", "Bag"].map((label) => ({
      label,
      cells: Array.from({ length: 4 }, () => ({ image: flat(32, 32) })),
    }));
    const plain = { scale: 2, rows: rows.map(({ cells }) => ({ cells })) };
    const named = { scale: 2, rows };
    const groups = [
      { label: "1 step", columns: ["seed 0", "seed 1"] },
      { label: "2 steps", columns: ["seed 0", "seed 1"] },
    ];
    const steps = [plain, named, { ...named, groups }, { ...named, groups, title: "Clothes" }];
    const inks = steps.map((sheet) => ink(makeGrid(sheet)));
    expect(inks[0]).toBe(0);
    for (let i = 1; i < inks.length; i++) expect(inks[i]!).toBeGreaterThan(inks[i - 1]!);
    const xs = [...new Set(find(makeGrid({ ...named, groups }), RED).corners.map(([x]) => x))];
    expect(xs).toHaveLength(4);
    expect(xs[2]! - xs[1]!).toBeGreaterThan(xs[1]! - xs[0]! + 10);
    expect(xs[3]! - xs[2]!).toBe(xs[1]! - xs[0]!);
  });

  test("labels longer than a picture widen the places instead of running into one another", () => {
    const label = "a rather long label";
    const cells = [0, 1].map(() => ({ image: flat(8, 8), label }));
    const xs = find(contactSheet(cells, { columns: 2, scale: 1 }), RED).corners.map(([x]) => x);
    expect(xs[1]! - xs[0]!).toBeGreaterThan(textWidth(label));
  });

  test("nothing is drawn outside: the border stays white", () => {
    const sheet = contactSheet(
      Array.from({ length: 7 }, (_, i) => ({ image: flat(9, 9), label: `seed ${i}\nAnkle boot` })),
      { title: "A title that is a good deal wider than the pictures below it", subtitle: "and more" },
    );
    for (let x = 0; x < sheet.width; x++)
      for (const y of [0, 7, sheet.height - 8, sheet.height - 1]) expect(at(sheet, x, y)).toEqual([255, 255, 255]);
    for (let y = 0; y < sheet.height; y++)
      for (const x of [0, 7, sheet.width - 8, sheet.width - 1]) expect(at(sheet, x, y)).toEqual([255, 255, 255]);
  });

  test("what makes no sheet is refused", () => {
    const cell = { image: flat(4, 4) };
    const refused = (act: () => unknown, words: RegExp) => {
      expect(act).toThrow(NcvsdError);
      expect(act).toThrow(words);
    };
    refused(() => contactSheet([]), /at least one image/);
    refused(() => makeGrid({ rows: [{ cells: [undefined] }] }), /at least one image/);
    refused(() => makeGrid({ rows: [{ cells: [cell] }, { cells: [cell, cell] }] }), /row 1 .* 2 cells for 1 columns/);
    refused(() => contactSheet([cell], { scale: 1.5 }), /whole number/);
    refused(() => contactSheet([cell], { scale: 4000 }), /too large/);
  });
});
