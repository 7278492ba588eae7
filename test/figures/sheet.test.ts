import { describe, expect, test } from "vitest";
import { NcvsdError } from "../../src/errors.js";
import { grouped, inOrder } from "../../src/figures/arrange.js";
import { mapped } from "../../src/figures/colour-map.js";
import { textWidth } from "../../src/figures/font.js";
import { type Cell, checkSheet, type Sheet, sheetFile, sheetPng } from "../../src/figures/sheet.js";
import type { RawImage } from "../../src/image/pixels.js";
import { decodePng } from "../../src/image/png.js";

const picture = (width: number, height = width): RawImage => ({
  width,
  height,
  channels: 1,
  data: Uint8Array.from({ length: width * height }, (_, i) => (i * 61) % 251),
});
const svgOf = async (sheet: Sheet) => new TextDecoder().decode(await sheetFile("x.svg", sheet, {}));

interface Box {
  readonly what: string;
  readonly left: number;
  readonly right: number;
  readonly top: number;
  readonly bottom: number;
}

/** Where texts and pictures lie; letters from the top of "d" to the bottom of "p". */
function boxes(svg: string): Box[] {
  const of = (tag: string, name: string) => new RegExp(` ${name}="([^"]*)"`).exec(tag)?.[1];
  const texts = [...svg.matchAll(/<text ([^>]*)>([^<]*)<\/text>/g)].map(([, attributes, words]): Box => {
    const tag = ` ${attributes}`;
    const size = Number(of(tag, "font-size") ?? 11);
    const width = textWidth(words!, size, of(tag, "font-weight") === "700" ? "bold" : "regular");
    const anchor = { middle: 0.5, end: 1 }[of(tag, "text-anchor") ?? ""] ?? 0;
    const left = Number(of(tag, "x")) - anchor * width;
    const base = Number(of(tag, "y"));
    return { what: words!, left, right: left + width, top: base - 0.74 * size, bottom: base + 0.2 * size };
  });
  const pictures = [...svg.matchAll(/<image ([^>]*)>/g)].map(([, attributes]): Box => {
    const [left, top, width, height] = ["x", "y", "width", "height"].map((name) => Number(of(` ${attributes}`, name)));
    return { what: "picture", left: left!, right: left! + width!, top: top!, bottom: top! + height! };
  });
  return [...texts, ...pictures];
}

/** Nothing touches anything else or the sheet's edge. */
async function expectApart(sheet: Sheet): Promise<Box[]> {
  const all = boxes(await svgOf(sheet));
  const { width, height } = checkSheet(sheet);
  for (const [i, a] of all.entries()) {
    expect(Math.min(a.left, a.top), a.what).toBeGreaterThanOrEqual(8);
    expect(a.right, a.what).toBeLessThanOrEqual(width - 8);
    expect(a.bottom, a.what).toBeLessThanOrEqual(height - 8);
    for (const b of all.slice(i + 1)) {
      const apart = a.right < b.left || b.right < a.left || a.bottom < b.top || b.bottom < a.top;
      expect(apart, `${a.what} and ${b.what}`).toBe(true);
    }
  }
  return all;
}

const LONG = "a class whose name is far longer than anything that fits under a picture of it, 日本";

describe("a sheet", () => {
  test.each([28, 32, 64, 256])(
    "keeps texts and pictures of %i pixels apart, whatever they are called",
    async (side) => {
      const cell = (label: string, marked = false): Cell => ({ image: picture(side), label, marked });
      const rows = Array.from({ length: 3 }, (_, r) => ({
        label: r === 1 ? LONG : `row ${r}`,
        cells: [
          cell(`PSNR 27.0 dB, SSIM 0.83\nchi² 1.02`, r === 0),
          r === 2 ? undefined : cell(r === 1 ? LONG : "seed 1234567890"),
          { ...mapped(new Float32Array(side * side).fill(0.3), [side, side], 0.5), label: "std" },
          { image: picture(9), label: "kernel" },
        ],
      }));
      const groups = [{ label: LONG, columns: ["measurement", LONG] }, { columns: ["std", "kernel"] }];
      await expectApart({ title: `${LONG} ${LONG}`, caption: `${LONG}; ${LONG}; ${LONG}.`, groups, rows });
      const one = await expectApart({ title: LONG, caption: LONG, rows: inOrder([cell("seed 1")]) });
      expect(one.filter(({ what }) => what === "picture")).toHaveLength(1);
    },
  );

  test("draws pictures by whole factors, every value as it is, the map in colours", async () => {
    const image = picture(32);
    const sheet: Sheet = { rows: inOrder([{ image }]) };
    const png = decodePng(await sheetPng(sheet, { "ncvsd-gpu:sheet": "1" }));
    expect([png.channels, png.text["ncvsd-gpu:sheet"]]).toEqual([1, "1"]);
    const { left, top, right } = (await expectApart(sheet)).find(({ what }) => what === "picture")!;
    expect(right - left).toBe(96);
    for (let y = 0; y < 192; y += 5)
      for (let x = 0; x < 192; x += 5)
        expect(png.data[(2 * top + y) * png.width + 2 * left + x]).toBe(
          image.data[Math.floor(y / 6) * 32 + Math.floor(x / 6)],
        );
    const ramp = mapped([0, 0.25, 0.5, 9], [1, 4], 0.5);
    expect([...ramp.image.data]).toEqual([68, 1, 84, 33, 145, 140, 253, 231, 37, 253, 231, 37]);
    expect(decodePng(await sheetPng({ rows: inOrder([ramp]) }, {})).channels).toBe(3);
  });

  test("brings its font along as an SVG, and says whose it is", async () => {
    const svg = await svgOf({ rows: inOrder([{ image: picture(8), label: '"<&' }]) });
    expect(svg.slice(0, 400)).toContain('data-made-by="ncvsd-gpu"');
    expect(svg).toMatch(/@font-face\{font-family:Lato;font-weight:700;src:url\(data:font\/woff2;base64,/);
    expect(svg).toContain("&quot;&lt;&amp;");
  });

  test("refuses nothing, crooked rows, and what is too large", () => {
    const image = picture(2);
    expect(() => checkSheet({ rows: [] })).toThrow(NcvsdError);
    expect(() => checkSheet({ rows: [{ cells: [{ image }] }, { cells: [] }] })).toThrow(/row 1 .* 0 cells for 1/);
    expect(() => checkSheet({ rows: inOrder(new Array<Cell>(9000).fill({ image: picture(64) })) })).toThrow(
      /too large/,
    );
  });
});

describe("the order of pictures", () => {
  const cells = Array.from({ length: 40 }, (_, i): Cell => ({ image: picture(4), label: `seed ${i}` }));
  const labels = (rows: Sheet["rows"]) =>
    rows.map(({ label, cells: own }) => [label, own.flatMap((cell) => cell?.label ?? [])]);

  test("classes have rows of their own, several where they are long", () => {
    const byTen = grouped(
      cells,
      cells.map((_, i) => i % 10),
      (c) => `class ${c}`,
    );
    expect(labels(byTen).at(0)).toEqual(["class 0", ["seed 0", "seed 10", "seed 20", "seed 30"]]);
    expect(byTen).toHaveLength(10);
    const two = labels(
      grouped(
        cells,
        cells.map((_, i) => Number(i >= 20)),
        (c) => `class ${c}`,
      ),
    );
    expect(two.map(([label]) => label)).toEqual(["class 0", undefined, undefined, "class 1", undefined, undefined]);
  });

  test("classes of hardly more than one picture follow one another under their names", () => {
    const rows = grouped(cells.slice(0, 6), [5, 3, 3, 1, 0, 4], (c) => `class ${c}`);
    expect(labels(rows).flatMap(([, own]) => own)).toEqual(
      ["0\nseed 4", "1\nseed 3", "3\nseed 1", "3\nseed 2", "4\nseed 5", "5\nseed 0"].map((t) => `class ${t}`),
    );
  });
});
