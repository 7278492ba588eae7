import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { Face, woffTables } from "./face.js";
import { systemFont } from "./system-fonts.js";

/** Lato (SIL Open Font License): its Latin characters, and a few more, Polish ones among them, in files of their own. */
export const FAMILY = "Lato";
const WEIGHTS = { regular: 400, bold: 700 } as const;
export type Weight = keyof typeof WEIGHTS;
type Part = "latin" | "latin-ext";

const read = (part: Part, weight: Weight, type: "woff" | "woff2"): Uint8Array =>
  readFileSync(
    createRequire(import.meta.url).resolve(`@fontsource/lato/files/lato-${part}-${WEIGHTS[weight]}-normal.${type}`),
  );

const once = <T>(make: (part: Part, weight: Weight) => T) => {
  const made = new Map<string, T>();
  return (part: Part, weight: Weight): T => {
    const key = `${part} ${weight}`;
    if (!made.has(key)) made.set(key, make(part, weight));
    return made.get(key)!;
  };
};

/** A file of the font, WOFF2. */
const fontFile = once((part, weight) => read(part, weight, "woff2"));
const face = once((part, weight) => new Face(woffTables(read(part, weight, "woff"))));

const ofLato = (c: string, weight: Weight = "regular"): Face | undefined =>
  [face("latin", weight), face("latin-ext", weight)].find((one) => one.has(c));

/** Characters of a text that need not be in the first part of Lato. */
const further = (text: string) =>
  [...new Set(text.match(/\P{ASCII}/gu))].filter((c) => !face("latin", "regular").has(c));

/** The parts of Lato that a text takes. */
const partsOf = (text: string): readonly Part[] =>
  further(text).some((c) => face("latin-ext", "regular").has(c)) ? ["latin", "latin-ext"] : ["latin"];

const weights = Object.keys(WEIGHTS) as Weight[];

/** Rules that bring the font along, so that a figure with this text looks the same everywhere. */
export const fontFaces = (text: string): string =>
  partsOf(text)
    .flatMap((part) => weights.map((weight) => [part, weight] as const))
    .map(([part, weight]) => {
      const data = Buffer.from(fontFile(part, weight)).toString("base64");
      return `@font-face{font-family:${FAMILY};font-weight:${WEIGHTS[weight]};src:url(data:font/woff2;base64,${data})}`;
    })
    .join("");

/** Files of all fonts that a text takes: Lato's, and those of this machine that have what it has not. */
export function fontFiles(text: string): Uint8Array[] {
  const own = partsOf(text).flatMap((part) => weights.map((weight) => fontFile(part, weight)));
  const others = new Set(further(text).flatMap((c) => (ofLato(c) ? [] : (systemFont(c)?.file ?? []))));
  return [...own, ...[...others].map((file) => readFileSync(file))];
}

/** The text in characters that can be drawn here; another by its number, "U+732B". */
export function written(text: string): string {
  let last = "";
  return [...text.normalize("NFC")]
    .map((c) => {
      const known = ofLato(c) ?? systemFont(c);
      const number = `U+${c.codePointAt(0)!.toString(16).toUpperCase().padStart(4, "0")}`;
      const shown = known ? c : last.startsWith("U+") ? ` ${number}` : number;
      last = shown.trimStart();
      return shown;
    })
    .join("");
}

/** Width of a line in pixels at a font size, never less than it is drawn (kerning is left out). */
export function textWidth(text: string, size: number, weight: Weight = "regular"): number {
  let [mixed, whole] = [0, 0];
  const characters = [...text];
  // The renderer sets a line as a whole in the first other font that it needs, where that has all of it.
  const foreign = characters.find((c) => !ofLato(c, weight));
  const other = foreign === undefined ? undefined : systemFont(foreign)?.face;
  for (const c of characters) {
    mixed += (ofLato(c, weight) ?? systemFont(c)?.face)?.width(c) ?? 1;
    whole += other?.width(c) ?? 0;
  }
  return Math.max(mixed, whole) * size;
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
