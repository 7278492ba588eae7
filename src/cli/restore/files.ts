import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { writeSafetensors } from "../../checkpoint/index.js";
import { NcvsdError } from "../../errors.js";
import { imagesFromValues, type RawImage } from "../../image/pixels.js";
import { decodePng, encodePng } from "../../image/png.js";
import type { ImageShape } from "../../networks/session.js";
import { sweep, writeAtomic } from "../../runs/whole-file.js";
import { isOurs } from "../parts/paths.js";
import type { ImageResult } from "./report.js";

/** Everything that one image's folder shows. All pictures in the network's value range, C*H*W values. */
export interface Reconstruction {
  readonly name: string;
  readonly truth?: Float32Array;
  readonly measurement: Float32Array;
  readonly measurementShape: readonly number[];
  /** One after the other. */
  readonly samples: readonly Float32Array[];
  readonly mean: Float32Array;
  /** Per pixel and channel over the runs (divisor runs - 1); absent for a single run. */
  readonly std?: Float32Array;
  readonly baselines: Readonly<Record<string, Float32Array>>;
}

/** Standard deviation, in the network's range of width 2, that a std picture shows white. */
export const STD_WHITE = 0.5;

const RESULT = "result.json";
export const VALUES = "values.safetensors";
/** Every file that a folder of results can get. */
const OWN_FILES =
  /^(result\.json|values\.safetensors|(truth|measurement|mean|std|best|sheet|sample-\d+|baseline-.*)\.png)$/;
const sha256 = (bytes: Uint8Array | string) => createHash("sha256").update(bytes).digest("hex");

const sampleName = (run: number): string => `sample-${String(run).padStart(2, "0")}.png`;
export const baselineName = (method: string): string => `baseline-${method.replace(/[^A-Za-z0-9]+/g, "-")}.png`;

/** C*H*W values as one picture. */
export function picture(values: Float32Array, shape: ImageShape): RawImage {
  return imagesFromValues(values, [1, ...shape])[0]!;
}

/** A standard deviation as a picture: black is 0, white STD_WHITE or more. */
function stdPicture(std: Float32Array, shape: ImageShape): RawImage {
  return picture(
    std.map((v) => Math.min(v / STD_WHITE, 1) * 2 - 1),
    shape,
  );
}

/**
 * A measurement as a picture: as it is where it is one; amplitudes (`logarithmic`) as log(1 + a) over the largest; anything
 * else not at all.
 */
export function measurementPicture(
  values: Float32Array,
  shape: readonly number[],
  logarithmic: boolean,
): RawImage | undefined {
  const [c, h, w] = shape;
  if (shape.length !== 3 || (c !== 1 && c !== 3)) return undefined;
  if (!logarithmic) return picture(values, [c, h!, w!]);
  const logs = values.map((v) => Math.log1p(Math.abs(v)));
  const top = logs.reduce((a, b) => Math.max(a, b), 1e-12);
  return picture(
    logs.map((v) => (2 * v) / top - 1),
    [c, h!, w!],
  );
}

/** Mean and standard deviation per value over the samples. */
export function moments(samples: readonly Float32Array[]): { mean: Float32Array; std?: Float32Array } {
  const n = samples.length;
  const mean = samples[0]!.map((_, i) => samples.reduce((sum, s) => sum + s[i]!, 0) / n);
  if (n === 1) return { mean };
  return { mean, std: mean.map((m, i) => Math.sqrt(samples.reduce((sum, s) => sum + (s[i]! - m) ** 2, 0) / (n - 1))) };
}

/** The raw values of an image's folder. */
function valuesFile(r: Reconstruction, [c, h, w]: ImageShape, key: string): Uint8Array {
  const all = new Float32Array(r.samples.length * c * h * w);
  r.samples.forEach((s, i) => {
    all.set(s, i * c * h * w);
  });
  const tensor = (name: string, shape: readonly number[], data: Float32Array) => ({ name, dtype: "F32", shape, data });
  return writeSafetensors(
    [
      ...(r.truth ? [tensor("truth", [c, h, w], r.truth)] : []),
      tensor("measurement", r.measurementShape, r.measurement),
      tensor("samples", [r.samples.length, c, h, w], all),
      tensor("mean", [c, h, w], r.mean),
      ...(r.std ? [tensor("std", [c, h, w], r.std)] : []),
    ],
    { format: "pt", "ncvsd-gpu:run-key": key },
  );
}

/**
 * Writes an image's folder, every file whole, `result.json` last: a folder with it is finished.
 * @param text the PNGs' text chunks (`run` is undefined for what is no sample)
 */
export function writeResult(
  dir: string,
  r: Reconstruction,
  result: Omit<ImageResult, "files">,
  shown: { shape: ImageShape; measurement: RawImage | undefined; sheet: Uint8Array },
  text: (run: number | undefined) => Record<string, string>,
): ImageResult {
  const { shape } = shown;
  const files = new Map<string, Uint8Array>();
  const add = (name: string, image: RawImage, run?: number) => void files.set(name, encodePng(image, text(run)));
  if (r.truth) add("truth.png", picture(r.truth, shape));
  if (shown.measurement) add("measurement.png", shown.measurement);
  r.samples.forEach((s, run) => {
    add(sampleName(run), picture(s, shape), run);
  });
  add("mean.png", picture(r.mean, shape));
  if (r.std) add("std.png", stdPicture(r.std, shape));
  if (result.best !== undefined) add("best.png", picture(r.samples[result.best]!, shape), result.best);
  for (const [method, values] of Object.entries(r.baselines)) add(baselineName(method), picture(values, shape));
  files.set("sheet.png", shown.sheet);
  files.set(VALUES, valuesFile(r, shape, result.key));
  if (existsSync(dir)) sweep(dir);
  removeOld(dir);
  const hashes = Object.fromEntries([...files].map(([name, bytes]) => [name, sha256(bytes)]));
  for (const [name, bytes] of files) writeAtomic(join(dir, name), bytes);
  const whole: ImageResult = { ...result, files: hashes };
  writeAtomic(join(dir, RESULT), `${JSON.stringify(whole, null, 2)}\n`);
  return whole;
}

/** Takes away what an earlier run of other options wrote, the mark of a finished folder first. */
function removeOld(dir: string): void {
  const old = parseResult(dir);
  if (!old) return;
  rmSync(join(dir, RESULT), { force: true });
  for (const name of Object.keys(old.files)) if (!/[/\\]/.test(name)) rmSync(join(dir, name), { force: true });
}

function parseResult(dir: string): ImageResult | undefined {
  try {
    const result = JSON.parse(readFileSync(join(dir, RESULT), "utf8")) as ImageResult;
    return result?.tool === "ncvsd-gpu" && typeof result.files === "object" ? result : undefined;
  } catch {
    return undefined;
  }
}

/**
 * The finished result of the same options in an image's folder, every file of it whole; undefined: to be made.
 * @throws NcvsdError BAD_ARGUMENT when the folder holds files that are not this tool's (unless `force`)
 */
export function finishedResult(dir: string, key: string, force: boolean): ImageResult | undefined {
  if (force || !existsSync(dir)) return undefined;
  const result = parseResult(dir);
  if (result?.key !== key || result.format !== 1) {
    refuseForeign(dir, result);
    return undefined;
  }
  const whole = Object.entries(result.files).every(([name, hash]) => {
    try {
      return sha256(readFileSync(join(dir, name))) === hash;
    } catch {
      return false;
    }
  });
  if (!whole) refuseForeign(dir, result);
  return whole ? result : undefined;
}

/** Files of others under names that would be written. An empty one is what a crash leaves behind: nobody loses it. */
function refuseForeign(dir: string, result: ImageResult | undefined): void {
  const foreign = readdirSync(dir).find((name) => {
    const path = join(dir, name);
    if (!OWN_FILES.test(name) || (statSync(path).isFile() && statSync(path).size === 0)) return false;
    // What the result names is ours, though it be damaged.
    return name === RESULT || (result && Object.hasOwn(result.files, name)) ? !result : !isOurs(path);
  });
  if (foreign !== undefined)
    throw new NcvsdError(
      "BAD_ARGUMENT",
      `${join(dir, foreign)} is there and was not made by ncvsd-gpu: move it away, choose another folder, or overwrite it with --force`,
    );
}

/** A picture of a finished folder, read back. */
export function readPicture(dir: string, name: string): RawImage | undefined {
  const path = join(dir, name);
  return existsSync(path) ? decodePng(readFileSync(path), path) : undefined;
}
