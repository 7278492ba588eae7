import { createHash } from "node:crypto";
import { bad, NcvsdError } from "../errors.js";
import { fromByte } from "../image/pixels.js";
import { type LabelRows, labelRows, readDatasetJson } from "./dataset-labels.js";
import { decodeItem, type ItemShape, LATENT_CHANNELS, type StoredItem } from "./decode-item.js";
import { DecodePool } from "./decode-pool.js";
import { type FileTree, openTree } from "./file-tree.js";
import { shapeText } from "./inputs.js";

export interface DatasetOptions {
  /** False: as if the data set had no labels. */
  readonly labels?: boolean;
  /** In place of a damaged picture take the next one, and say so; else a damaged one is an error. */
  readonly skipBad?: boolean;
  /** Memory for pictures that have been read, in bytes. */
  readonly cacheBytes?: number;
  /** Threads that decode pictures (0: none besides this one). */
  readonly threads?: number;
  /** Where to tell of damaged pictures. */
  readonly say?: (line: string) => void;
}

export interface DatasetItem {
  /** [C, H, W]: a picture in [-1, 1], u8 / 127.5 - 1; of a latent four means, then four standard deviations, as stored. */
  readonly image: Float32Array;
  /** One-hot, or the numbers of dataset.json; empty without labels. */
  readonly label: Float32Array;
  /** The class, where labels are classes. */
  readonly class: number | undefined;
  /** The file, which with `skipBad` may be a later one than was asked for. */
  readonly name: string;
}

const DATASET_FILES: readonly string[] = [".png", ".jpg", ".jpeg", ".npy"];
const DEFAULT_CACHE = 2 ** 29;

/** Values of bytes: 0 is -1, 255 is 1. */
const VALUES = Float32Array.from({ length: 256 }, (_, u8) => fromByte(u8));

type Stored = StoredItem["values"];

/**
 * A data set of EDM2's layout: a folder or a zip archive of PNGs (JPEGs, too) or of .npy latents, all of one shape, and
 * dataset.json with their labels. Pictures are read when they are asked for; what fits is kept.
 */
export class Dataset {
  readonly path: string;
  /** Of one item: 1 or 3 channels, or 8 of a latent. */
  readonly shape: ItemShape;
  readonly kind: "pictures" | "latents";
  /** Names of the classes, where dataset.json has them. */
  readonly classes: readonly string[] | undefined;
  readonly labels: LabelRows;
  readonly #tree: FileTree;
  readonly #options: DatasetOptions;
  readonly #kept = new Map<number, Stored>();
  readonly #damaged = new Set<number>();
  readonly #pool: DecodePool | undefined;
  #room: number;

  private constructor(
    tree: FileTree,
    shape: ItemShape,
    labels: LabelRows,
    classes: readonly string[] | undefined,
    options: DatasetOptions,
  ) {
    this.path = tree.path;
    this.#tree = tree;
    this.shape = shape;
    this.kind = shape[0] === LATENT_CHANNELS ? "latents" : "pictures";
    this.labels = labels;
    this.classes = classes;
    this.#options = options;
    this.#room = options.cacheBytes ?? DEFAULT_CACHE;
    this.#pool = options.threads ? new DecodePool(options.threads) : undefined;
  }

  /** Lists the files, reads the labels and the first picture. @throws BAD_ARGUMENT naming what is wrong */
  static async open(path: string, options: DatasetOptions = {}): Promise<Dataset> {
    const tree = await openTree(path, DATASET_FILES);
    try {
      if (tree.names.length === 0) throw bad(`${path} has no pictures: it holds no PNG, JPEG or .npy file`);
      const json = await readDatasetJson(tree);
      const labels = labelRows(tree, options.labels === false ? undefined : json.labels);
      const shape = await firstShape(tree, options.skipBad ?? false);
      return new Dataset(tree, shape, labels, json.classes, options);
    } catch (error) {
      await tree.close();
      throw error;
    }
  }

  get length(): number {
    return this.#tree.names.length;
  }

  /** @throws BAD_ARGUMENT naming the file when it is damaged or of another shape */
  async item(index: number): Promise<DatasetItem> {
    const { length } = this;
    if (!(Number.isInteger(index) && index >= 0 && index < length))
      throw bad(`${this.path} has pictures 0 to ${length - 1}, not ${index}.`);
    for (let i = index; ; i = (i + 1) % length) {
      if (this.#damaged.size === length) throw bad(`${this.path} has no picture that can be read.`);
      if (this.#damaged.has(i)) continue;
      try {
        const image = valuesOf(await this.#stored(i));
        const name = this.#tree.where(this.#tree.names[i]!);
        return { image, label: this.labels.row(i), class: this.labels.classes?.[i], name };
      } catch (error) {
        if (!this.#options.skipBad || !(error instanceof NcvsdError)) throw error;
        if (!this.#damaged.has(i)) this.#options.say?.(`${error.message}; the next picture is taken in its place`);
        this.#damaged.add(i);
      }
    }
  }

  /**
   * SHA-256 of all names, lengths and CRC-32s, and of the labels in use: the same for a folder and an archive of it, and
   * another when a picture or a label has changed. A folder is read for it as a whole.
   */
  async fingerprint(): Promise<string> {
    const hash = createHash("sha256");
    for (const [i, name] of this.#tree.names.entries()) {
      const { size, crc } = await this.#tree.checksum(name);
      const label = this.labels.classes?.[i] ?? `[${this.labels.row(i).join()}]`;
      hash.update(`${JSON.stringify(name)} ${size} ${crc} ${label}\n`);
    }
    return hash.digest("hex");
  }

  async close(): Promise<void> {
    this.#kept.clear();
    await this.#pool?.close();
    await this.#tree.close();
  }

  async #stored(i: number): Promise<Stored> {
    const known = this.#kept.get(i);
    if (known) return known;
    const name = this.#tree.names[i]!;
    const { shape, values } = await readItem(this.#tree, name, this.#pool);
    if (shape.join() !== this.shape.join())
      throw bad(`${this.#tree.where(name)} is ${shapeText(shape)}, but the first is ${shapeText(this.shape)}`);
    // Never given up for another: what is asked for in random order is no more likely to be one that came lately.
    if (values.byteLength <= this.#room && !this.#kept.has(i)) {
      this.#room -= values.byteLength;
      this.#kept.set(i, values);
    }
    return values;
  }
}

/** A copy, of bytes their values. A loop: `Float32Array.from` with a function takes ten times as long. */
function valuesOf(stored: Stored): Float32Array {
  const values = new Float32Array(stored.length);
  if (stored instanceof Float32Array) values.set(stored);
  else for (let i = 0; i < stored.length; i++) values[i] = VALUES[stored[i]!]!;
  return values;
}

async function firstShape(tree: FileTree, skipBad: boolean): Promise<ItemShape> {
  for (const [i, name] of tree.names.entries()) {
    try {
      return (await readItem(tree, name)).shape;
    } catch (error) {
      if (!skipBad || i === tree.names.length - 1 || !(error instanceof NcvsdError)) throw error;
    }
  }
  throw bad(`${tree.path} has no pictures.`);
}

async function readItem(tree: FileTree, name: string, pool?: DecodePool): Promise<StoredItem> {
  const where = tree.where(name);
  const bytes = await tree.read(name);
  if (!bytes) throw bad(`${where} is not there any more`);
  return pool ? pool.decode(bytes, where) : decodeItem(bytes, where);
}
