import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { ZipWriter } from "../../src/data/zip-writer.js";
import type { RawImage } from "../../src/image/pixels.js";
import { encodePng } from "../../src/image/png.js";

/** A picture whose every byte tells of its seed. */
export function picture(seed: number, side = 8, channels: 1 | 3 = 3): RawImage {
  const data = Uint8Array.from({ length: side * side * channels }, (_, i) => (7 * i + 31 * seed + (i >> 4)) & 255);
  return { width: side, height: side, channels, data };
}

/** Files of a data set: pictures and a dataset.json. */
export function files(pictures: readonly RawImage[], labels: unknown): Record<string, Uint8Array> {
  const named = pictures.map((image, i) => {
    const digits = String(i).padStart(8, "0");
    return [`${digits.slice(0, 5)}/img${digits}.png`, encodePng(image)] as const;
  });
  const json = new TextEncoder().encode(JSON.stringify({ labels }));
  return { ...Object.fromEntries(named), "dataset.json": json };
}

export function zipOf(members: Readonly<Record<string, Uint8Array>>): Uint8Array {
  const pieces: Uint8Array[] = [];
  const zip = new ZipWriter((bytes) => pieces.push(bytes));
  for (const [name, bytes] of Object.entries(members)) zip.add(name, bytes);
  zip.finish();
  return new Uint8Array(Buffer.concat(pieces));
}

export function folderOf(dir: string, members: Readonly<Record<string, Uint8Array>>): string {
  for (const [name, bytes] of Object.entries(members)) {
    mkdirSync(dirname(join(dir, name)), { recursive: true });
    writeFileSync(join(dir, name), bytes);
  }
  return dir;
}

/** A little-endian .npy of floats. */
export function npy(shape: readonly number[], values: Float32Array | Uint8Array, descr = "<f4"): Uint8Array {
  const text = `{'descr': '${descr}', 'fortran_order': False, 'shape': (${shape.join(", ")},), }`;
  const head = Buffer.from(`\x93NUMPY\x01\x00\x00\x00${text.padEnd(117)}\n`, "latin1");
  head.writeUInt16LE(118, 8);
  return new Uint8Array(Buffer.concat([head, Buffer.from(values.buffer, values.byteOffset, values.byteLength)]));
}
