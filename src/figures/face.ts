import { unzlibSync } from "fflate";

/** A font's tables by their tags: `head`, `hhea`, `cmap`, `hmtx` are used. */
export type Tables = ReadonlyMap<string, DataView>;

/** Which characters a font has, and how wide each is. */
export class Face {
  readonly #tables: Tables;
  readonly #characters: DataView | undefined;

  constructor(tables: Tables) {
    this.#tables = tables;
    this.#characters = characterTable(tables.get("cmap"));
  }

  has(c: string): boolean {
    return this.glyph(c) !== 0;
  }

  /** In ems; undefined for a character that it has not. */
  width(c: string): number | undefined {
    const glyph = this.glyph(c);
    const [head, hhea, hmtx] = ["head", "hhea", "hmtx"].map((tag) => this.#tables.get(tag));
    if (glyph === 0 || !head || !hhea || !hmtx) return undefined;
    const advance = within(() => hmtx.getUint16(4 * Math.min(glyph, hhea.getUint16(34) - 1)));
    const em = within(() => head.getUint16(18));
    return advance !== undefined && em ? advance / em : undefined;
  }

  /** Its number in the font; 0 for a character that it has not. */
  glyph(c: string): number {
    const table = this.#characters;
    const code = c.codePointAt(0)!;
    return (table && within(() => (table.getUint16(0) === 4 ? inSegments : inGroups)(table, code))) ?? 0;
  }
}

/** What is read of a table; undefined where a damaged one leads beyond its end. */
function within(read: () => number): number | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

/** Of a `cmap` table the subtable for all of Unicode (format 12), or for its first plane (format 4). */
function characterTable(cmap: DataView | undefined): DataView | undefined {
  if (!cmap) return undefined;
  const tables = Array.from({ length: cmap.getUint16(2) }, (_, i) => {
    const at = cmap.getUint32(8 + 8 * i);
    return new DataView(cmap.buffer, cmap.byteOffset + at, cmap.byteLength - at);
  });
  return [12, 4].map((format) => tables.find((table) => table.getUint16(0) === format)).find(Boolean);
}

/** The glyph of a character; 0: there is none. Format 4: segments with the last code of each, ascending. */
function inSegments(table: DataView, code: number): number {
  const twice = table.getUint16(6);
  for (let s = 0; s < twice; s += 2) {
    if (table.getUint16(14 + s) < code) continue;
    const first = table.getUint16(16 + twice + s);
    if (first > code) return 0;
    const delta = table.getUint16(16 + 2 * twice + s);
    const where = 16 + 3 * twice + s;
    const range = table.getUint16(where);
    if (range === 0) return (code + delta) & 0xffff;
    const glyph = table.getUint16(where + range + 2 * (code - first));
    return glyph === 0 ? 0 : (glyph + delta) & 0xffff;
  }
  return 0;
}

/** The same in format 12: groups of first code, last code, first glyph. */
function inGroups(table: DataView, code: number): number {
  const count = table.getUint32(12);
  for (let g = 0; g < count; g++) {
    const at = 16 + 12 * g;
    if (table.getUint32(at + 4) < code) continue;
    const first = table.getUint32(at);
    return first > code ? 0 : table.getUint32(at + 8) + code - first;
  }
  return 0;
}

/** The tables of a WOFF 1 file, unpacked. */
export function woffTables(bytes: Uint8Array): Tables {
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
