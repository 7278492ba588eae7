import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { describe, expect, test } from "vitest";
import { openCheckpoint } from "../../src/checkpoint/index.js";
import { cli, cliOk, scratch, sentence } from "../support/cli.js";
import { fixturePath } from "../support/fixtures.js";

// Written by h5py and tifffile: k-space of 2 slices and 2 coils, 8 x 6, and 3 pages of 4 x 5.
const KSPACE = fixturePath("measure/kspace.h5");
const PROJECTIONS = fixturePath("measure/projections.tif");
const COUNTS = fixturePath("measure/counts.tif");
const MASK = [0, 1, 1, 1, 0, 1];

const cwd = scratch()("work");
mkdirSync(cwd, { recursive: true });
const out = join(cwd, "m.safetensors");

/** The file that an import writes, and what it prints. */
async function imported(...args: string[]) {
  const { stdout } = await cliOk(["measure", "import", ...args, "--out", out, "--json"], { cwd });
  const file = await openCheckpoint(out);
  const tensors: Record<string, { shape: readonly number[]; values: number[] }> = {};
  for (const [name, { shape }] of file.tensors) tensors[name] = { shape, values: Array.from(await file.readF32(name)) };
  const { metadata } = file;
  await file.close();
  return { said: JSON.parse(stdout), tensors, metadata };
}

const close = (found: readonly number[], wanted: readonly number[]) => {
  expect(found.length).toBe(wanted.length);
  for (const [i, v] of wanted.entries()) expect(found[i]).toBeCloseTo(v, 5);
};

describe("measure import", () => {
  test("k-space of an HDF5 file: planes by coil, its mask, and the scale that pictures are divided by", async () => {
    const { said, tensors, metadata } = await imported(KSPACE, "--key", "kspace", "--index", "1");
    // numpy.fft: 0.99 quantile of the root of the coils' summed squares.
    expect(said.scale).toBeCloseTo(16.656530274, 6);
    expect(tensors.measurement!.shape).toEqual([2, 2, 8, 6]);
    const wanted = [0, 1].flatMap((c) =>
      [0, 1].flatMap((plane) =>
        Array.from({ length: 48 }, (_, n) => {
          const [i, j] = [Math.floor(n / 6), n % 6];
          const value = (2 * (plane === 0 ? i * 6 + j + 1 : (c + 1) * (j - i))) / 10;
          return (value * MASK[j]!) / 16.656530274;
        }),
      ),
    );
    close(tensors.measurement!.values, wanted);
    expect(tensors.mask).toEqual({ shape: [6], values: MASK });
    expect(metadata).toMatchObject({ tool: "ncvsd-gpu", key: "kspace", value_range: "[0,1]", source: "kspace.h5" });
    expect(Number(metadata.scale)).toBe(said.scale);
  });

  test("the rows that a scanner samples twofold are cut in the picture", async () => {
    const { tensors } = await imported(KSPACE, "--key", "kspace", "--index", "1", "--readout", "5", "--scale", "1");
    expect(tensors.measurement!.shape).toEqual([2, 2, 5, 6]);
    // numpy.fft; coil 1, first row of both planes.
    close(tensors.measurement!.values.slice(60, 63), [0, 0.52398239, 0.77696456]);
    close(tensors.measurement!.values.slice(90, 93), [0, 0.49995845, 1.00592288]);
  });

  test("a slice through the pages of a TIFF file, with its geometry", async () => {
    const geometry = { geometry: "fan", angles: [0, 1, 2], detectors: 5, sourceDistance: 9, detectorDistance: 3 };
    writeFileSync(join(cwd, "scan.json"), JSON.stringify(geometry));
    const { said, tensors, metadata } = await imported(PROJECTIONS, "--index", ":,2", "--geometry", "scan.json");
    expect(tensors.measurement!.shape).toEqual([3, 5]);
    close(
      tensors.measurement!.values,
      Array.from({ length: 15 }, (_, n) => (Math.floor(n / 5) * 20 + 10 + (n % 5)) / 7),
    );
    expect(JSON.parse(metadata.geometry!)).toEqual(geometry);
    expect(said.geometry).toEqual(geometry);
    expect(metadata.value_range).toBeUndefined();
  });

  test("integers keep their values and their range", async () => {
    const { tensors, metadata } = await imported(COUNTS, "--index", "1:3,0,3");
    expect(tensors.measurement).toEqual({ shape: [2], values: [23000, 43000] });
    expect(metadata.value_range).toBe("[0,65535]");
  });

  test.each([
    ["a data set that is not there", [KSPACE, "--key", "images"], /has no data set "images": it has half, kspace/],
    ["a link to another file", [KSPACE, "--key", "elsewhere"], /has no data set "elsewhere"/],
    ["several slices", [KSPACE, "--key", "kspace"], /\[2, 2, 8, 6\]: k-space of one picture is/],
    ["a place outside", [KSPACE, "--key", "kspace", "--index", "2"], /axis 0 of .* has places 0 to 1, not 2 to 2/],
    ["an index of words", [COUNTS, "--index", "last"], /--index "last": must be places/],
  ])("%s is one sentence", async (_, args, message) => {
    const refused = await cli(["measure", "import", ...args, "--out", join(cwd, "no.safetensors")], { cwd });
    expect(refused.code).toBe(2);
    expect(sentence(refused)).toMatch(message);
  });

  test("a package that is not installed is named", async () => {
    const hooks =
      "export const resolve = (name, context, next) => { if (name === 'h5wasm') throw new Error('not there'); return next(name, context); };";
    writeFileSync(
      join(cwd, "without.mjs"),
      `import { register } from "node:module"; register(${JSON.stringify(`data:text/javascript,${encodeURIComponent(hooks)}`)});`,
    );
    const env = { NODE_OPTIONS: `--import ${pathToFileURL(join(cwd, "without.mjs"))}` };
    const refused = await cli(["measure", "import", KSPACE, "--out", out, "--force"], { cwd, env });
    expect(refused.code).toBe(2);
    expect(sentence(refused)).toMatch(/read by the package h5wasm, which is not installed: run `npm install h5wasm`$/);
  });
});
