import { expect, test } from "vitest";
import { writeResult } from "../../src/cli/restore/files.js";
import { imageSheet, overviewSheet } from "../../src/cli/restore/sheets.js";
import type { Cell } from "../../src/figures/sheet.js";
import { imagesFromValues } from "../../src/image/pixels.js";
import { scratch } from "../support/cli.js";

const shape = [1, 16, 16] as const;
const place = scratch();

/** A wedge on black, with a black frame of three pixels: it can be moved and turned without a loss. */
const truth = Float32Array.from({ length: 256 }, (_, i) => {
  const [y, x] = [i >> 4, i & 15];
  return y > 2 && y < 13 && x > 2 && x < 13 ? Math.fround((4 * y + x) / 40 - 1) : -1;
});
/** The same turned by 180 degrees, two rows lower. */
const moved = Float32Array.from({ length: 256 }, (_, i) => (i < 32 ? -1 : truth[255 - (i - 32)]!));

const head = {
  task: "phase_retrieval",
  description: "amplitudes",
  noise: "0.05",
  sampler: { title: "PnP-GD" },
  checkpoint: { name: "net" },
};

/** What a sheet's and an overview's cell of the simple method shows, of a task that leaves the place open, or does not. */
async function shown(movable: boolean): Promise<{ own: Cell; overview: Cell }> {
  const figures = { psnr: 7.5, ssim: 0.1, chi2: 1.5, nfe: 1, seconds: 1, seed: 0, ...(movable && { aligned: 60 }) };
  const folder = place(`movable-${movable}`);
  const r = {
    ...{ name: "x", truth, measurement: truth, measurementShape: shape, samples: [truth], mean: truth },
    baselines: { "error reduction": moved },
  };
  const result = {
    ...({ tool: "ncvsd-gpu", format: 1, name: "x", key: "k", samples: [figures], mean: figures } as const),
    ...{ best: 0, mostConsistent: 0, baselines: { "error reduction": figures } },
  };
  const cells = imageSheet(head, r, result, shape, undefined, undefined).rows[0]!.cells;
  const own = cells.find((cell) => cell?.label?.startsWith("error reduction"))!;
  const sheet = { shape, measurement: undefined, sheet: new Uint8Array() };
  const written = writeResult(`${folder}/x`, r, result, sheet, () => ({}));
  const { groups, rows } = await overviewSheet(head, folder, [written], shape);
  return { own, overview: rows[0]!.cells[groups![0]!.columns.indexOf("error reduction")]! };
}

const pictureOf = (values: Float32Array) => imagesFromValues(values, [1, ...shape])[0]!;

test("phase retrieval's simple methods are shown where they fit the truth, as its samples are", async () => {
  const { own, overview } = await shown(true);
  expect(own.image).toEqual(pictureOf(truth));
  expect(own.label).toBe("error reduction\nPSNR 80.0 dB, SSIM 1.00\naligned, chi² 1.50");
  // From the folder's pictures, of eight bits.
  expect(overview.image).toEqual(pictureOf(truth));
  expect(overview.label).toMatch(/^PSNR \d\d\.\d dB, SSIM 1\.00\naligned, chi² 1\.50$/);
});

test("those of other tasks are shown as they are", async () => {
  const { own, overview } = await shown(false);
  expect(own.image).toEqual(pictureOf(moved));
  expect(own.label).toBe("error reduction\nPSNR 7.5 dB, SSIM 0.10\nchi² 1.50");
  expect(overview).toEqual({ image: own.image, label: "PSNR 7.5 dB, SSIM 0.10\nchi² 1.50" });
});
