import { Sha256 } from "../checkpoint/sha256.js";

// What decides a picture, and how its file tells of it. Nothing of Node: a page in a browser writes the same.

/** Raised when a release changes the image that a seed gives: images of before are then made anew, not kept. */
const IMAGE_SCHEME = 1;

/** What may stand in a run's options. */
export type OptionValue =
  | null
  | boolean
  | number
  | string
  | readonly OptionValue[]
  | { readonly [key: string]: OptionValue };
export type Options = Readonly<Record<string, OptionValue | undefined>>;

/**
 * Options that cannot change a seed's image. Everything else is taken to: an option forgotten here costs a needless redo, one
 * wrongly listed would keep wrong images. The adapter is listed because adapters agree to rounding.
 */
const NOT_DECIDING = new Set(
  "adapter batch force grid json outdir quiet saveRaw save-raw seeds subdirs verbose".split(" "),
);

/** What JSON can hold, one text for one meaning: keys sorted, absent ones dropped, infinities and NaN as text, no -0. */
export function canonical(value: OptionValue | undefined): OptionValue {
  if (typeof value === "number") return Number.isFinite(value) ? value + 0 : String(value);
  if (Array.isArray(value)) return value.map((item: OptionValue) => canonical(item));
  if (typeof value === "object" && value !== null) {
    const entries = Object.entries(value).filter(([, item]) => item !== undefined);
    entries.sort(([a], [b]) => (a < b ? -1 : 1));
    return Object.fromEntries(entries.map(([key, item]) => [key, canonical(item)]));
  }
  return value ?? null;
}

/** The canonical options that can change an image: what its file and its fingerprint hold, whatever else the run was told. */
export function decidingOptions(options: Options): OptionValue {
  return canonical(
    Object.fromEntries(Object.entries(options).filter(([key]) => !NOT_DECIDING.has(key))) as OptionValue,
  );
}

/**
 * The fingerprint of everything that decides an image besides its seed: SHA-256, in hex, of the canonical JSON of the options
 * (without those that decide nothing: batch, outdir, other seeds, ...) and the checkpoint's hash. The class belongs to it
 * (null where it is drawn per seed), and so does a second network: give its hash, not its name.
 */
export function runKey(options: Options, checkpointSha256: string): string {
  const content = canonical({ scheme: IMAGE_SCHEME, checkpoint: checkpointSha256, options: decidingOptions(options) });
  return sha256(JSON.stringify(content));
}

/** What a PNG file says about itself. */
export interface ImageOrigin {
  seed: number;
  /** Absent for an unconditional network. */
  classIndex?: number | undefined;
  className?: string | undefined;
  checkpoint: { name: string; sha256: string };
  options: Options;
  adapter: string;
  version: string;
}

/**
 * The text chunks of a picture, for `encodePng`: what the commands write, enough to make it again.
 * @param origin of a picture of `sample`: `options` are those of its sampler, with `sampler`, `class` and `precision`
 */
export function imageText(origin: ImageOrigin): Record<string, string> {
  const { seed, classIndex, className, checkpoint, options, adapter, version } = origin;
  const text: Record<string, string> = {
    Software: `ncvsd-gpu ${version}`,
    "ncvsd-gpu:version": version,
    "ncvsd-gpu:seed": String(seed),
    "ncvsd-gpu:checkpoint": checkpoint.name,
    "ncvsd-gpu:checkpoint-sha256": checkpoint.sha256,
    "ncvsd-gpu:options": JSON.stringify(decidingOptions(options)),
    "ncvsd-gpu:adapter": adapter,
    "ncvsd-gpu:run-key": runKey(options, checkpoint.sha256),
  };
  if (classIndex !== undefined) text["ncvsd-gpu:class"] = String(classIndex);
  if (className !== undefined) text["ncvsd-gpu:class-name"] = className;
  return text;
}

/**
 * The seed of one stream of noise of `restore`: of the run's seed, the image's name and the stream ("measurement" or the run's
 * number) alone, so that a result does not change with the batch or the other images.
 */
export function streamSeed(seed: number, name: string, stream: string): number {
  const start = sha256(`${seed}\n${name}\n${stream}`).slice(0, 8);
  return Number.parseInt(start.match(/../g)!.reverse().join(""), 16);
}

const sha256 = (text: string) => new Sha256().update(new TextEncoder().encode(text)).hex();
