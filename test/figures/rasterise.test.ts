import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { densityFigure } from "../../src/evaluate/density-plot.js";
import { Face, woffTables } from "../../src/figures/face.js";
import { fitted, textWidth, wrapped, written } from "../../src/figures/font.js";
import { svgToPng } from "../../src/figures/rasterise.js";
import { decodePng, encodePng } from "../../src/image/png.js";

// The user's own fonts, looked for once.
const home = mkdtempSync(join(tmpdir(), "ncvsd-fonts-"));
process.env.HOME = home;
afterAll(() => rmSync(home, { recursive: true, force: true }));

describe("the font of figures", () => {
  test("has widths of its own for every character, in both weights", () => {
    expect(textWidth("iiii", 10)).toBeLessThan(textWidth("mmmm", 10) / 2);
    expect(textWidth("PSNR 27.0 dB", 20)).toBeCloseTo(2 * textWidth("PSNR 27.0 dB", 10), 9);
    expect(textWidth("Ankle boot", 10, "bold")).toBeGreaterThan(textWidth("Ankle boot", 10));
    // A digit of Lato is 0.58 em wide, all alike.
    for (const digit of "0123456789") expect(textWidth(digit, 100)).toBeCloseTo(58, 0);
  });

  test("cuts what is too long, wraps words, and shows what no font has by its number", () => {
    const cut = fitted("a name that is much too long for its place", 100, 12);
    expect(cut).toMatch(/^a name.*…$/);
    expect(textWidth(cut, 12)).toBeLessThanOrEqual(100);
    expect(fitted("short", 100, 12)).toBe("short");
    const lines = wrapped("one two three four five six seven", 60, 12);
    expect(lines.join(" ")).toBe("one two three four five six seven");
    for (const line of lines) expect(textWidth(line, 12)).toBeLessThanOrEqual(60);
    expect(written("Chi² 4× naïve Łódź")).toBe("Chi² 4× naïve Łódź");
    // Of private use, and no characters at all.
    expect(written("a\ue000\ue001b\u{10ffff}")).toBe("aU+E000 U+E001bU+10FFFF");
  });
});

const lato = () =>
  woffTables(readFileSync(createRequire(import.meta.url).resolve("@fontsource/lato/files/lato-latin-400-normal.woff")));

test("a character has no width where the tables that would say it are cut off", () => {
  for (const tag of ["head", "hhea", "hmtx"]) {
    const { buffer, byteOffset } = lato().get(tag)!;
    const face = new Face(new Map([...lato(), [tag, new DataView(buffer, byteOffset, 3)]]));
    expect([face.has("M"), face.width("M")]).toEqual([true, undefined]);
  }
});

/** A TrueType font with one character, which looks as "M" of Lato. @param groups that it says to have; it has one */
function fontWith(code: number, groups = 1): Uint8Array {
  const tables = new Map(lato());
  const glyph = new Face(tables).glyph("M");
  // One subtable, of format 12, with one group.
  const cmap = new DataView(new ArrayBuffer(40));
  const words = [1, (3 << 16) | 10, 12, 12 << 16, 28, 0, groups, code, code, glyph];
  for (const [i, word] of words.entries()) cmap.setUint32(4 * i, word);
  tables.set("cmap", cmap);
  const padded = (length: number) => (length + 3) & ~3;
  const head = 12 + 16 * tables.size;
  const font = new Uint8Array([...tables.values()].reduce((sum, table) => sum + padded(table.byteLength), head));
  const view = new DataView(font.buffer);
  view.setUint32(0, 0x10000);
  view.setUint16(4, tables.size);
  let at = head;
  for (const [i, tag] of [...tables.keys()].sort().entries()) {
    const { buffer, byteOffset, byteLength } = tables.get(tag)!;
    font.set(new TextEncoder().encode(tag), 12 + 16 * i);
    view.setUint32(20 + 16 * i, at);
    view.setUint32(24 + 16 * i, byteLength);
    font.set(new Uint8Array(buffer, byteOffset, byteLength), at);
    at += padded(byteLength);
  }
  return font;
}

describe("svgToPng", () => {
  const svg = (inner: string) => `<svg xmlns="http://www.w3.org/2000/svg" width="60" height="20">${inner}</svg>`;

  test("draws text no wider than it was measured, in grey without colours, and keeps text chunks", async () => {
    const inner = '<text x="2" y="15" font-size="14" font-family="no such font">mmm</text>';
    const png = decodePng(await svgToPng(svg(inner), { text: { "ncvsd-gpu:sheet": "1" } }));
    expect([png.width, png.height, png.channels]).toEqual([120, 40, 1]);
    expect(png.text["ncvsd-gpu:sheet"]).toBe("1");
    const inked = [...png.data.keys()].filter((i) => png.data[i]! < 128).map((i) => i % 120);
    expect(Math.max(...inked)).toBeLessThanOrEqual(2 * (2 + textWidth("mmm", 14)));
    expect(Math.max(...inked)).toBeGreaterThan(2 * textWidth("mmm", 14) - 8);
  });

  test("draws what Lato has not by a font of this machine, as wide as it is measured", async () => {
    mkdirSync(join(home, ".fonts"), { recursive: true });
    // Of a plane that hardly a font has.
    const rare = "\u{30000}";
    writeFileSync(join(home, ".fonts", "rare.ttf"), fontWith(rare.codePointAt(0)!));
    // Looked at before: it leads beyond its end, and stops nothing.
    writeFileSync(join(home, ".fonts", "damaged.ttf"), fontWith(0x20000, 9));
    expect(written(`${rare}!`)).toBe(`${rare}!`);
    expect(textWidth(rare, 14)).toBeCloseTo(textWidth("M", 14), 9);
    const drawn = (c: string) => svgToPng(svg(`<text x="2" y="15" font-size="14">${c}</text>`));
    const [own, other, none] = [await drawn(rare), await drawn("M"), await drawn("\u{30001}")];
    expect(own).toEqual(other);
    expect(none).not.toEqual(other);
  });

  test("enlarges a picture pixel by pixel, to the byte", async () => {
    const data = Uint8Array.from({ length: 4 * 4 * 3 }, (_, i) => (i * 37) % 256);
    const href = `data:image/png;base64,${Buffer.from(encodePng({ width: 4, height: 4, channels: 3, data })).toString("base64")}`;
    const inner = `<image x="4" y="4" width="12" height="12" image-rendering="optimizeSpeed" href="${href}"/>`;
    const png = decodePng(await svgToPng(svg(inner)));
    for (let y = 0; y < 24; y++)
      for (let x = 0; x < 24; x++)
        for (let c = 0; c < 3; c++)
          expect(png.data[((8 + y) * 120 + 8 + x) * 3 + c]).toBe(
            data[(Math.floor(y / 6) * 4 + Math.floor(x / 6)) * 3 + c],
          );
  });

  test("draws the project's own charts, and says when something is no SVG", async () => {
    const curve = [
      [0, 0.1],
      [1, 1],
      [2, 0.2],
    ] as const;
    const figure = densityFigure("density of x0", "x0", [{ name: "truth", points: curve, colour: "#d55e00" }]);
    const { width, height, channels, data } = decodePng(await svgToPng(figure));
    expect([width, height, channels]).toEqual([1120, 640, 3]);
    const orange = (i: number) => data[3 * i] === 0xd5 && data[3 * i + 1] === 0x5e;
    expect(Array.from({ length: width * height }, (_, i) => i).some(orange)).toBe(true);
    await expect(svgToPng("no picture")).rejects.toMatchObject({ code: "BAD_ARGUMENT" });
  });
});
