import { existsSync, statSync } from "node:fs";
import { basename } from "node:path";
import { openSource } from "../checkpoint/index.js";
import { NPY_HEADER_BYTES, type NpyHeader, npyHeader, npyValues } from "../checkpoint/npy.js";
import { ZipArchive } from "../checkpoint/zip.js";
import { bad, NcvsdError } from "../errors.js";
import { imagesFromPlanarBytes, MAX_PIXELS, type RawImage } from "../image/pixels.js";
import { cropped } from "../image/resample.js";
import { ByteStream } from "./byte-stream.js";
import { unreadable } from "./folder.js";
import type { PictureSource, SourcePicture } from "./picture-source.js";

const IDX_IMAGES = 0x803;
const IDX_LABELS = 0x801;
const MNIST_SIDE = 28;
const MNIST_BORDER = 2;

const word = (bytes: Uint8Array, i: number) => new DataView(bytes.buffer, bytes.byteOffset).getUint32(4 * i);

const none = { classes: undefined, left: undefined } as const;

/**
 * Pictures of the MNIST family: an IDX file of bytes [N, H, W] and one of labels [N], gzipped or not. Those of 28x28 get the
 * border of two black pixels that makes them 32x32, as the reference's tools give it.
 * @param labels absent: the file beside it that is named so, if there is one
 */
export async function openIdx(path: string, labels: string | undefined): Promise<PictureSource> {
  const stream = new ByteStream(path);
  try {
    if (word(await stream.take(4), 0) !== IDX_IMAGES)
      throw bad(`${path} is no IDX file of pictures: those are bytes [N, H, W]`);
    const head = await stream.take(12);
    const [count, height, width] = [0, 1, 2].map((i) => word(head, i)) as [number, number, number];
    if (count * height * width === 0 || height * width > MAX_PIXELS)
      throw bad(`${path} is damaged: its header says ${count} pictures of ${width}x${height}`);
    const beside = path.replace(/images([.-])idx3/, "labels$1idx1");
    const file = labels ?? (beside !== path && existsSync(beside) ? beside : undefined);
    const classes = file === undefined ? undefined : await readIdxLabels(file, count);
    async function* pictures(): AsyncGenerator<SourcePicture> {
      for (let i = 0; i < count; i++) {
        const data = await stream.take(height * width);
        const image: RawImage = { width, height, channels: 1, data };
        yield { where: `picture ${i} of ${path}`, label: classes?.[i], image: () => bordered(image) };
      }
      await stream.end();
    }
    return { kind: "IDX", count, ...none, pictures, close: async () => stream.close() };
  } catch (error) {
    stream.close();
    throw error;
  }
}

function bordered(image: RawImage): RawImage {
  if (image.width !== MNIST_SIDE || image.height !== MNIST_SIDE) return image;
  const side = MNIST_SIDE + 2 * MNIST_BORDER;
  return cropped(image, -MNIST_BORDER, -MNIST_BORDER, side, side);
}

async function readIdxLabels(path: string, count: number): Promise<Uint8Array> {
  const stream = new ByteStream(path);
  try {
    const head = await stream.take(8);
    if (word(head, 0) !== IDX_LABELS) throw bad(`${path} is no IDX file of labels: those are bytes [N]`);
    if (word(head, 1) !== count) throw bad(`${path} has ${word(head, 1)} labels for ${count} pictures`);
    const labels = await stream.take(count);
    await stream.end();
    return labels;
  } finally {
    stream.close();
  }
}

const CIFAR_SIDE = 32;
const CIFAR_PIXELS = 3 * CIFAR_SIDE ** 2;

/**
 * CIFAR's binary files: records of a label (CIFAR-10) or of a coarse and a fine one (CIFAR-100, of which the fine one is taken),
 * then 32x32 red, green and blue bytes.
 */
export function openCifar(paths: readonly string[]): PictureSource {
  const files = paths.map((path) => {
    let size: number;
    try {
      size = statSync(path).size;
    } catch (cause) {
      throw unreadable(path, cause);
    }
    // Both fit only every nine megabytes: then the name decides.
    const fits = (labels: number) => size > 0 && size % (labels + CIFAR_PIXELS) === 0;
    const hundred = /^(train|test)\.bin$/i.test(basename(path)) ? fits(2) : !fits(1) && fits(2);
    if (!hundred && !fits(1))
      throw bad(`${path} has ${size} bytes, which are no whole records of CIFAR-10 or CIFAR-100`);
    const labels = hundred ? 2 : 1;
    return { path, labels, count: size / (labels + CIFAR_PIXELS) };
  });
  const open = new Set<ByteStream>();
  async function* pictures(): AsyncGenerator<SourcePicture> {
    for (const { path, labels, count } of files) {
      const stream = new ByteStream(path);
      open.add(stream);
      for (let i = 0; i < count; i++) {
        const record = await stream.take(labels + CIFAR_PIXELS);
        const planes = record.subarray(labels);
        const image = () => imagesFromPlanarBytes(planes, [1, 3, CIFAR_SIDE, CIFAR_SIDE])[0]!;
        yield { where: `picture ${i} of ${path}`, label: record[labels - 1]!, image };
      }
      await stream.end();
      stream.close();
    }
  }
  const close = async () => {
    for (const stream of open) stream.close();
  };
  const kind = files[0]?.labels === 2 ? "CIFAR-100" : "CIFAR-10";
  return { kind, count: files.reduce((sum, { count }) => sum + count, 0), ...none, pictures, close };
}

const NPZ_IMAGES = ["images", "train_images", "x_train", "data", "arr_0"];
const NPZ_LABELS = ["labels", "train_labels", "y_train", "label", "arr_1"];
const NPZ_LIMITS = { entries: 10_000, directoryBytes: 2 ** 22 };
const MAX_LABELS = 2 ** 28;

/**
 * An .npz with an array of bytes, [N, H, W], [N, H, W, C], [N, C, H, W] or [N, 3*S*S] (planes, as the small ImageNets have them), and
 * perhaps one of whole labels [N] or [N, 1]. Of one that is not compressed a picture at a time is in memory.
 */
export async function openNpzPictures(path: string): Promise<PictureSource> {
  const said = async <T>(action: () => Promise<T>): Promise<T> => {
    try {
      return await action();
    } catch (cause) {
      if (cause instanceof NcvsdError && cause.code === "BAD_ARGUMENT") throw cause;
      throw bad(`${path} cannot be read: ${(cause as Error).message}`, cause);
    }
  };
  const source = await said(() => openSource(path));
  try {
    const archive = await said(() => ZipArchive.open(source, NPZ_LIMITS));
    const find = async (names: readonly string[]) => {
      const name = names.find((known) => archive.member(`${known}.npy`));
      if (name === undefined) return undefined;
      const member = archive.member(`${name}.npy`)!;
      const head = await said(() => member.read(0, Math.min(member.size, NPY_HEADER_BYTES)));
      const where = `${path}: ${name}`;
      const header = npyHeader(head, where);
      if (header.fortran) throw bad(`${where} is in Fortran order: save it in C order`);
      if (header.size !== member.size) throw bad(`${where} is damaged: its data do not fill its shape`);
      return { where, header, read: (at: number, length: number) => said(() => member.read(at, length)) };
    };
    // Labels first: of what is compressed one array at a time is kept.
    const labelled = await find(NPZ_LABELS);
    const labels = labelled && (await npzLabels(labelled));
    const array = await find(NPZ_IMAGES);
    if (!array) throw bad(`${path} has no array called ${NPZ_IMAGES.join(", ")}`);
    const layout = npzLayout(array.header, array.where);
    if (labels && labels.length !== layout.count)
      throw bad(`${labelled.where} has ${labels.length} labels for ${layout.count} pictures`);
    const { count, size } = layout;
    async function* pictures(): AsyncGenerator<SourcePicture> {
      for (let i = 0; i < count; i++) {
        const data = await array!.read(array!.header.start + i * size, size);
        yield { where: `picture ${i} of ${array!.where}`, label: labels?.[i], image: () => layout.image(data) };
      }
    }
    return { kind: "npz", count, ...none, pictures, close: () => source.close() };
  } catch (error) {
    await source.close();
    throw error;
  }
}

interface NpzArray {
  readonly where: string;
  readonly header: NpyHeader;
  readonly read: (at: number, length: number) => Promise<Uint8Array>;
}

async function npzLabels({ where, header, read }: NpzArray): Promise<Float64Array> {
  const [count = 0, one = 1, more] = header.shape;
  if (one !== 1 || more !== undefined || count > MAX_LABELS)
    throw bad(`${where} is (${header.shape.join(", ")}): labels are whole numbers (N) or (N, 1)`);
  const values = npyValues(await read(0, header.size), header, where, new Float64Array(count));
  const odd = values.findIndex((v) => !(Number.isInteger(v) && v >= 0 && v < 65_536));
  if (odd >= 0) throw bad(`${where}: label ${odd} is ${values[odd]}: classes are numbers from 0 to 65535`);
  return values;
}

/** How pictures lie in an array. */
function npzLayout({ shape, type }: NpyHeader, where: string) {
  const refuse = () =>
    bad(
      `${where} is (${shape.join(", ")}) of ${type}: pictures are bytes (N, H, W), (N, H, W, C), (N, C, H, W) or (N, 3*S*S)`,
    );
  const [count = 0, ...rest] = shape;
  const size = rest.reduce((a, b) => a * b, 1);
  if (type !== "u1" || count === 0 || size === 0 || size > 4 * MAX_PIXELS) throw refuse();
  const flat = (side: number) => Number.isInteger(side);
  const colours = (n: number | undefined) => n === 1 || n === 3;
  const planar = (c: number, h: number, w: number) => ({
    count,
    size,
    image: (data: Uint8Array) => imagesFromPlanarBytes(data, [1, c, h, w])[0]!,
  });
  if (rest.length === 2) return planar(1, rest[0]!, rest[1]!);
  if (rest.length === 3 && colours(rest[2])) {
    const [height, width, channels] = rest as [number, number, 1 | 3];
    return { count, size, image: (data: Uint8Array): RawImage => ({ width, height, channels, data }) };
  }
  if (rest.length === 3 && colours(rest[0])) return planar(rest[0]!, rest[1]!, rest[2]!);
  if (rest.length === 1 && flat(Math.sqrt(size / 3))) return planar(3, Math.sqrt(size / 3), Math.sqrt(size / 3));
  if (rest.length === 1 && flat(Math.sqrt(size))) return planar(1, Math.sqrt(size), Math.sqrt(size));
  throw refuse();
}
