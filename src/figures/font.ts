import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { unzlibSync } from "fflate";
import { bad } from "../errors.js";

/** Lato (SIL Open Font License), its Latin characters. */
export const FAMILY = "Lato";
const WEIGHTS = { regular: 400, bold: 700 } as const;
export type Weight = keyof typeof WEIGHTS;

const read = (weight: Weight, type: "woff" | "woff2"): Uint8Array =>
  readFileSync(
    createRequire(import.meta.url).resolve(`@fontsource/lato/files/lato-latin-${WEIGHTS[weight]}-normal.${type}`),
  );

const once = <T>(make: (weight: Weight) => T) => {
  const made = new Map<Weight, T>();
  return (weight: Weight): T => {
    if (!made.has(weight)) made.set(weight, make(weight));
    return made.get(weight)!;
  };
};

/** The font's file, WOFF2. */
export const fontFile = once((weight) => read(weight, "woff2"));

/** Rules that bring the font along, so that a figure looks the same everywhere. */
export const fontFaces = (): string =>
  (Object.keys(WEIGHTS) as Weight[])
    .map((weight) => {
      const data = Buffer.from(fontFile(weight)).toString("base64");
      return `@font-face{font-family:${FAMILY};font-weight:${WEIGHTS[weight]};src:url(data:font/woff2;base64,${data})}`;
    })
    .join("");

/** Width of every character in ems, from the tables `head`, `hhea`, `cmap` and `hmtx` of a WOFF file. */
const widths = once((weight) => {
  const tables = woffTables(read(weight, "woff"));
  const [head, hhea, cmap, hmtx] = [tables.get("head")!, tables.get("hhea")!, tables.get("cmap")!, tables.get("hmtx")!];
  const em = head.getUint16(18);
  const last = hhea.getUint16(34) - 1;
  const found = new Map<string, number>();
  for (const [code, glyph] of characters(cmap))
    found.set(String.fromCodePoint(code), hmtx.getUint16(4 * Math.min(glyph, last)) / em);
  return found;
});

/** The tables of a WOFF 1 file by tag, unpacked. */
function woffTables(bytes: Uint8Array): Map<string, DataView> {
  const file = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const count = file.getUint16(12);
  return new Map(
    Array.from({ length: count }, (_, i) => {
      const at = 44 + 20 * i;
      const [offset, packed, length] = [file.getUint32(at + 4), file.getUint32(at + 8), file.getUint32(at + 12)];
      const part = bytes.subarray(offset, offset + packed);
      const table = packed < length ? unzlibSync(part) : part;
      const tag = String.fromCharCode(...bytes.subarray(at, at + 4));
      return [tag, new DataView(table.buffer, table.byteOffset, table.byteLength)] as const;
    }),
  );
}

/** Code points and their glyphs, of a `cmap` table's first subtable of format 4. */
function* characters(cmap: DataView): Generator<[code: number, glyph: number]> {
  const offsets = Array.from({ length: cmap.getUint16(2) }, (_, i) => cmap.getUint32(8 + 8 * i));
  const at = offsets.find((offset) => cmap.getUint16(offset) === 4);
  if (at === undefined) throw bad("the font of figures has no characters of the Unicode plane that it is read from");
  const twice = cmap.getUint16(at + 6);
  const [ends, starts] = [at + 14, at + 16 + twice];
  for (let s = 0; s < twice; s += 2) {
    const [first, last] = [cmap.getUint16(starts + s), cmap.getUint16(ends + s)];
    const delta = cmap.getUint16(starts + twice + s);
    const where = starts + 2 * twice + s;
    const range = cmap.getUint16(where);
    for (let code = first; code <= last && code < 0xffff; code++) {
      const raw = range === 0 ? code : cmap.getUint16(where + range + 2 * (code - first));
      const glyph = (raw + delta) & 0xffff;
      if (raw !== 0 && glyph !== 0) yield [code, glyph];
    }
  }
}

/** The text in characters that the font has; others become "?". */
export function written(text: string): string {
  const known = widths("regular");
  return [...text.normalize("NFC")].map((c) => (known.has(c) ? c : "?")).join("");
}

/** Width of a line in pixels at a font size, never less than it is drawn (kerning is left out). */
export function textWidth(text: string, size: number, weight: Weight = "regular"): number {
  const known = widths(weight);
  const fallback = known.get("?")!;
  let sum = 0;
  for (const c of text) sum += known.get(c) ?? fallback;
  return sum * size;
}

/** A line that is not wider, cut at the end where it has to be. */
export function fitted(text: string, width: number, size: number, weight: Weight = "regular"): string {
  if (textWidth(text, size, weight) <= width) return text;
  const letters = [...text];
  while (letters.length > 1 && textWidth(`${letters.join("").trimEnd()}…`, size, weight) > width) letters.pop();
  return `${letters.join("").trimEnd()}…`;
}

/** Words in lines that are not wider; a single word that is stays whole. */
export function wrapped(text: string, width: number, size: number, weight: Weight = "regular"): string[] {
  const lines: string[] = [];
  for (const word of text.split(/\s+/).filter(Boolean)) {
    const longer = lines.length === 0 ? word : `${lines.at(-1)} ${word}`;
    if (lines.length === 0 || textWidth(longer, size, weight) > width) lines.push(word);
    else lines[lines.length - 1] = longer;
  }
  return lines;
}
