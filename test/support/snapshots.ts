import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll } from "vitest";
import { fixturePath } from "./fixtures.js";

const folder = mkdtempSync(join(tmpdir(), "ncvsd-snapshots-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/**
 * A recorded snapshot of the reference as a file, named `NAME.nosrc.pkl`. Its large tensors are those of `NAME.safetensors`, to the
 * byte, and kept there alone: `.rest` is what lies around them, `.json` says where in it each belongs and what the whole must hash to.
 */
export function snapshotPath(name: "edm2-tiny" | "ncvsd-tiny"): string {
  const file = join(folder, `${name}.nosrc.pkl`);
  const path = fixturePath(`pickle/${name}.nosrc.pkl`);
  const rest = readFileSync(`${path}.rest`);
  const { weights, sha256, tensors } = JSON.parse(readFileSync(`${path}.json`, "utf8")) as Cuts;
  const bytes = readFileSync(fixturePath(weights));
  const start = 8 + Number(bytes.readBigUInt64LE(0));
  const header = JSON.parse(bytes.toString("utf8", 8, start));
  const pieces: Uint8Array[] = [];
  let at = 0;
  for (const [tensor, place] of Object.entries(tensors)) {
    const [from, to] = header[tensor].data_offsets as [number, number];
    pieces.push(rest.subarray(at, place), bytes.subarray(start + from, start + to));
    at = place;
  }
  const whole = Buffer.concat([...pieces, rest.subarray(at)]);
  if (createHash("sha256").update(whole).digest("hex") !== sha256)
    throw new Error(`${name}.nosrc.pkl is not as recorded`);
  writeFileSync(file, whole);
  return file;
}

interface Cuts {
  readonly weights: string;
  readonly sha256: string;
  readonly tensors: Record<string, number>;
}
