import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { npyBytes } from "../../src/checkpoint/npy-write.js";
import { openPictureSet } from "../../src/data/picture-set.js";
import { ZipWriter } from "../../src/data/zip-writer.js";
import { encodePng } from "../../src/image/png.js";

const folder = mkdtempSync(join(tmpdir(), "pictures-"));
afterAll(() => rmSync(folder, { recursive: true }));

const png = (grey: number) =>
  encodePng({ width: 3, height: 2, channels: 1, data: Uint8Array.from({ length: 6 }, (_, i) => i * grey) });
const npy = (value: number) => npyBytes(new Float32Array(12).fill(value), [3, 2, 2]);

/** Of a set that `write` makes at a place that stays the same. */
async function hashAfter(place: string, write: (path: string) => void): Promise<string> {
  const path = join(folder, place);
  write(path);
  const set = await openPictureSet(path, { say: () => {} });
  await set.close();
  return set.sha256;
}

it.each<[string, (path: string, other: number) => void]>([
  [
    "a folder",
    (path, other) => {
      mkdirSync(path, { recursive: true });
      for (const i of [0, 1, 2]) writeFileSync(join(path, `${i}.png`), png(i + 1 + other));
    },
  ],
  [
    "a folder of arrays, of one length all",
    (path, other) => {
      mkdirSync(path, { recursive: true });
      for (const i of [0, 1]) writeFileSync(join(path, `${i}.npy`), npy((i + other) / 4));
    },
  ],
  [
    "an archive.zip",
    (path, other) => {
      const pieces: Uint8Array[] = [];
      const zip = new ZipWriter((bytes) => pieces.push(bytes.slice()));
      zip.add("a.png", png(3 + other));
      zip.finish();
      writeFileSync(path, Buffer.concat(pieces));
    },
  ],
  ["array.npy", (path, other) => writeFileSync(path, npyBytes(new Float32Array(24).fill(other / 4), [2, 3, 2, 2]))],
])("%s of other pictures under the same names is another set", async (place, write) => {
  const first = await hashAfter(place, (path) => write(path, 0));
  expect(await hashAfter(place, (path) => write(path, 0))).toBe(first);
  expect(await hashAfter(place, (path) => write(path, 1))).not.toBe(first);
});
