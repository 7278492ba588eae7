import type { IFD } from "utif2";
import { bad } from "../errors.js";
import { readInput } from "./arrays.js";
import { type AxisIndex, optionalPackage, quietly, type ScientificArray, selection } from "./scientific.js";

/** Bytes of the whole-number types of TIFF's tags (byte, short, long); others are not looked at. */
const TYPES: Readonly<Record<number, number>> = { 1: 1, 3: 2, 4: 4 };
/** None, LZW, deflate (two numbers), PackBits. */
const COMPRESSIONS = [1, 5, 8, 32946, 32773];
const FLOAT_PREDICTOR = 3;
/** Pages, and numbers that one tag lists (offsets of strips), at most. */
const MOST_PAGES = 100_000;

/** Kinds of numbers by sample format (1 unsigned, 2 signed, 3 floating point) and bits. */
const READERS: Readonly<Record<string, (view: DataView, at: number, little: boolean) => number>> = {
  "1.8": (view, at) => view.getUint8(at),
  "2.8": (view, at) => view.getInt8(at),
  // The decoder has brought these to little endian.
  "1.16": (view, at) => view.getUint16(at, true),
  "2.16": (view, at) => view.getInt16(at, true),
  "1.32": (view, at, little) => view.getUint32(at, little),
  "2.32": (view, at, little) => view.getInt32(at, little),
  "3.32": (view, at, little) => view.getFloat32(at, little),
  "3.64": (view, at, little) => view.getFloat64(at, little),
};

/**
 * The pages of a TIFF file, of one channel each and alike, as [pages, H, W]; a single page too. Numbers are taken as they stand:
 * photometric interpretation and orientation are not looked at.
 * @throws NcvsdError BAD_ARGUMENT
 */
export async function readTiff(path: string, index: readonly AxisIndex[]): Promise<ScientificArray> {
  const bytes = readInput(path);
  const { default: tiff } = await optionalPackage("utif2", "TIFF files", () => import("utif2"));
  const damaged = (cause?: unknown) =>
    bad(`${path} cannot be read as a TIFF file: it is damaged, or of a newer kind`, cause);
  const pages = readPages(bytes);
  const first = pages?.[0];
  if (!pages || !first) throw damaged();
  const [width, height] = [first.one(256, 0), first.one(257, 0)];
  const [bits, format] = [first.one(258, 1), first.one(339, 1)];
  const read = READERS[`${format}.${bits}`];
  if (!read) throw bad(`${path} has ${bits} bits a pixel of sample format ${format}: save it with 8, 16 or 32 bits`);
  const alike = (page: Page) =>
    [256, 257, 258, 339].every((tag) => page.one(tag, 1) === first.one(tag, 1)) && page.one(277, 1) === 1;
  if (!pages.every(alike)) throw bad(`${path} has pages of several channels or kinds: save pages of one channel alike`);
  const { ranges, shape } = selection([pages.length, height, width], index, path);
  const [[fromPage, toPage], rows, columns] = ranges as [Range, Range, Range];
  const chosen = pages.slice(fromPage, toPage);
  const strange = chosen.find(
    (page) => !COMPRESSIONS.includes(page.one(259, 1)) || page.one(317, 1) === FLOAT_PREDICTOR,
  );
  if (strange)
    throw bad(`${path} is compressed in a way that is not read: save it uncompressed, or with deflate alone`);
  const values = new Float32Array(chosen.length * (rows[1] - rows[0]) * (columns[1] - columns[0]));
  const buffer = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength) as ArrayBuffer;
  let at = 0;
  for (const page of chosen) {
    const decoded = page.tags as IFD;
    try {
      if (!page.whole(bytes.length)) throw damaged();
      quietly(() => tiff.decodeImage(buffer, decoded));
    } catch (cause) {
      throw damaged(cause);
    }
    const { data } = decoded;
    if (data?.byteLength !== (width * height * bits) / 8) throw damaged();
    const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
    for (let row = rows[0]; row < rows[1]; row++)
      for (let column = columns[0]; column < columns[1]; column++)
        values[at++] = read(view, ((row * width + column) * bits) / 8, Boolean(decoded.isLE));
  }
  const high = 2 ** (bits - (format === 2 ? 1 : 0));
  return { shape, values, ...(format === 3 ? {} : { range: [format === 2 ? -high : 0, high - 1] as const }) };
}

type Range = readonly [from: number, to: number];

/** One page's tags of whole numbers, as the decoder takes them: "t256" and the like. */
class Page {
  readonly tags: Record<string, number[]> = {};

  /** The only or first number of a tag. */
  one(tag: number, otherwise: number): number {
    return this.tags[`t${tag}`]?.[0] ?? otherwise;
  }

  /** Whether strips or tiles are there, and lie in the file. */
  whole(length: number): boolean {
    const [offsets, counts] = this.tags.t322
      ? [this.tags.t324 ?? [], this.tags.t325 ?? []]
      : [this.tags.t273 ?? [], this.tags.t279 ?? []];
    const tile = this.one(322, 1) * this.one(323, 1);
    return (
      offsets.length > 0 &&
      offsets.length === counts.length &&
      offsets.every((offset, i) => offset + counts[i]! <= length) &&
      // Tiles reach over the border by less than one.
      tile > 0 &&
      tile <= 2 ** 28
    );
  }
}

/** The pages of a file's directory; undefined where it is damaged. Read here, since every number in it may be wrong. */
function readPages(bytes: Uint8Array): Page[] | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < 8) return undefined;
  const order = view.getUint16(0);
  const little = order === 0x4949;
  if ((!little && order !== 0x4d4d) || view.getUint16(2, little) !== 42) return undefined;
  const pages: Page[] = [];
  let left = bytes.length;
  for (let at = view.getUint32(4, little); at !== 0; ) {
    if (at + 2 > bytes.length || pages.length >= MOST_PAGES) return undefined;
    const entries = view.getUint16(at, little);
    const end = at + 2 + 12 * entries;
    if (end + 4 > bytes.length) return undefined;
    const page = new Page();
    for (let entry = at + 2; entry < end; entry += 12) {
      const size = TYPES[view.getUint16(entry + 2, little)];
      const count = view.getUint32(entry + 4, little);
      if (size === undefined) continue;
      const from = size * count <= 4 ? entry + 8 : view.getUint32(entry + 8, little);
      // Tags do not overlap: all of them together are no larger than the file.
      left -= size * count;
      if (from + size * count > bytes.length || left < 0) return undefined;
      const read = (i: number) =>
        size === 1
          ? view.getUint8(from + i)
          : size === 2
            ? view.getUint16(from + 2 * i, little)
            : view.getUint32(from + 4 * i, little);
      page.tags[`t${view.getUint16(entry, little)}`] = Array.from({ length: count }, (_, i) => read(i));
    }
    pages.push(page);
    at = view.getUint32(end, little);
  }
  return pages;
}
