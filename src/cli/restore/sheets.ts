import { join } from "node:path";
import { type Cell, makeGrid } from "../../image/grid.js";
import type { RawImage } from "../../image/pixels.js";
import type { ImageShape } from "../../networks/session.js";
import { baselineName, picture, type Reconstruction, readPicture, STD_WHITE, sampleName, stdPicture } from "./files.js";
import type { Figures, ImageResult } from "./report.js";

/** Samples that a sheet shows at most, and images that the overview does. */
const SHEET_SAMPLES = 8;
const OVERVIEW_IMAGES = 10;

/** Two lines under a picture: PSNR and SSIM with the truth, chi^2 always. */
function caption({ psnr, ssim, chi2 }: Figures): string {
  const quality = psnr === undefined ? [] : [`${psnr.toFixed(1)} dB${ssim === undefined ? "" : ` ${ssim.toFixed(2)}`}`];
  const fit = chi2 === undefined ? [] : [`chi2 ${chi2 >= 100 ? chi2.toPrecision(2) : chi2.toFixed(2)}`];
  return [...quality, ...fit].join("\n");
}

/** What a sheet says of the run. */
interface SheetHead {
  readonly task: string;
  readonly description: string;
  readonly noise: string;
  readonly sampler: { readonly title: string };
}

function subtitle({ description, noise, sampler }: SheetHead, { samples }: Pick<ImageResult, "samples">): string {
  const { nfe, vjps } = samples[0]!;
  const cost = `${nfe} network evaluations${vjps ? ` and ${vjps} derivatives` : ""} a sample`;
  return `${description}; ${noise}; ${sampler.title}, ${cost}`;
}

const STD_HEADING = `std (0-${STD_WHITE})`;

/** truth | measurement | baselines | samples | mean | std of one image. */
export function imageSheet(
  head: SheetHead,
  r: Reconstruction,
  result: Omit<ImageResult, "files">,
  shape: ImageShape,
  measurement: RawImage | undefined,
): RawImage {
  const columns: [heading: string, cell: Cell][] = [];
  if (r.truth) columns.push(["truth", { image: picture(r.truth, shape), label: result.className ?? "" }]);
  if (measurement) columns.push(["measurement", { image: measurement }]);
  for (const [method, values] of Object.entries(r.baselines)) {
    // The measurement as a reconstruction of its own is shown already.
    if (method === "measurement") continue;
    columns.push([method, { image: picture(values, shape), label: caption(result.baselines[method]!) }]);
  }
  r.samples.slice(0, SHEET_SAMPLES).forEach((s, run) => {
    columns.push([`sample ${run}`, { image: picture(s, shape), label: caption(result.samples[run]!) }]);
  });
  if (r.std) {
    columns.push(["mean", { image: picture(r.mean, shape), label: caption(result.mean) }]);
    columns.push([STD_HEADING, { image: stdPicture(r.std, shape) }]);
  }
  return makeGrid({
    title: `${head.task}: ${result.name}`,
    subtitle: subtitle(head, result),
    groups: [{ columns: columns.map(([heading]) => heading) }],
    rows: [{ cells: columns.map(([, cell]) => cell) }],
  });
}

/** One row an image, from the finished folders: truth | measurement | baselines | best sample | mean | std. */
export function overviewSheet(head: SheetHead, outdir: string, results: readonly ImageResult[]): RawImage {
  const shown = results.slice(0, OVERVIEW_IMAGES);
  const first = shown[0]!;
  const methods = Object.keys(first.baselines).filter((method) => method !== "measurement");
  const single = first.samples.length === 1;
  const chosen = single
    ? head.sampler.title
    : first.best === undefined
      ? "lowest chi2"
      : `best of ${first.samples.length}`;
  const all = ["truth", "measurement", ...methods, ...(single ? [chosen] : ["sample 0", chosen, "mean", STD_HEADING])];
  const rows = shown.map((result) => {
    const dir = join(outdir, result.name);
    const cell = (file: string, label = ""): Cell | undefined => {
      const image = readPicture(dir, file);
      return image && { image, label };
    };
    const at = result.best ?? result.mostConsistent;
    const sample = (run: number) => cell(sampleName(run), caption(result.samples[run]!));
    const cells = [
      cell("truth.png", result.className),
      cell("measurement.png"),
      ...methods.map((m) => cell(baselineName(m), caption(result.baselines[m]!))),
      ...(single ? [sample(0)] : [sample(0), sample(at), cell("mean.png", caption(result.mean)), cell("std.png")]),
    ];
    return { cells };
  });
  // Columns that no image has (the truth of a real measurement) are left out.
  const kept = all.flatMap((_, i) => (rows.some((row) => row.cells[i]) ? [i] : []));
  const more = results.length > shown.length ? `; the first ${shown.length} of ${results.length} images` : "";
  return makeGrid({
    title: head.task,
    subtitle: `${subtitle(head, first)}${more}`,
    groups: [{ columns: kept.map((i) => all[i]!) }],
    rows: rows.map((row) => ({ cells: kept.map((i) => row.cells[i]) })),
  });
}
