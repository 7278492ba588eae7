import { basename, join } from "node:path";
import { openCheckpoint } from "../../checkpoint/index.js";
import { mapped } from "../../figures/colour-map.js";
import type { Cell, Sheet } from "../../figures/sheet.js";
import { aligned, psnr, ssim } from "../../image/metrics.js";
import { type RawImage, valuesFromImages } from "../../image/pixels.js";
import type { ImageShape } from "../../networks/session.js";
import type { RestoreTask } from "../../operators/tasks.js";
import { ALIGN_REACH, extreme, parts } from "./figures.js";
import { baselineName, moments, picture, readPicture, STD_WHITE, VALUES } from "./files.js";
import type { Figures, ImageResult } from "./report.js";

/** Images that the overview shows at most. */
const OVERVIEW_IMAGES = 10;
/** Width of a picture that "PSNR 27.0 dB, SSIM 0.83" fits under. */
const LEAST = 120;
/** Pictures in a row of an image's sheet. */
const COLUMNS = 6;

/** What a sheet says of the run. */
interface SheetHead {
  readonly task: string;
  readonly description: string;
  readonly noise: string;
  readonly sampler: { readonly title: string };
  readonly checkpoint: { readonly name: string };
}

/** What sheets show of an operator itself. */
export interface Aperture {
  readonly name: "kernel" | "mask";
  readonly image: RawImage;
}

/** The kernel of a blur, the mask of an inpainting; undefined where the operator has neither. */
export async function apertureOf(task: RestoreTask): Promise<Aperture | undefined> {
  const { blur, mask, operator } = task;
  const [c, h, w] = operator.shape;
  if (mask?.length === c * h * w)
    return {
      name: "mask",
      image: picture(
        mask.subarray(0, h * w).map((v) => 2 * v - 1),
        [1, h, w],
      ),
    };
  if (!blur) return undefined;
  const point = new Float32Array(c * h * w);
  point[(h >> 1) * w + (w >> 1)] = 1;
  const answer = (await operator.forward(point)).subarray(0, h * w);
  const top = answer.reduce((a, b) => Math.max(a, b), 0);
  // The square around everything that can be seen of it.
  let reach = 1;
  answer.forEach((v, i) => {
    if (v > top / 255) reach = Math.max(reach, Math.abs(Math.floor(i / w) - (h >> 1)), Math.abs((i % w) - (w >> 1)));
  });
  const side = Math.min(2 * reach + 1, h, w);
  const from = [h, w].map((extent) => Math.min(Math.max(0, (extent >> 1) - reach), extent - side));
  const cut = Float32Array.from({ length: side * side }, (_, i) => {
    const at = (from[0]! + Math.floor(i / side)) * w + from[1]! + (i % side);
    return (2 * Math.max(0, answer[at]!)) / top - 1;
  });
  return { name: "kernel", image: picture(cut, [1, side, side]) };
}

/** What of an image is on sheets; phase retrieval's pictures in the place that fits the truth best. */
interface Shown {
  readonly truth?: Float32Array;
  readonly samples: readonly Float32Array[];
  /** Words under every sample. */
  readonly words: readonly string[];
  readonly mean: Float32Array;
  readonly meanWords: string;
  readonly std?: Float32Array;
  /** The sample to look at, and why. */
  readonly chosen: number;
  readonly why: string;
}

const quality = (db: number, similarity?: number) =>
  `PSNR ${db.toFixed(1)} dB${similarity === undefined ? "" : `, SSIM ${similarity.toFixed(2)}`}`;
const residual = ({ chi2 }: Figures) => (chi2 === undefined ? [] : [`chi² ${chi2.toFixed(chi2 >= 100 ? 0 : 2)}`]);

/** PSNR and SSIM with the truth, and chi^2 always. */
function caption(figures: Figures): string {
  const { psnr: db, ssim: similarity } = figures;
  return [...(db === undefined ? [] : [quality(db, similarity)]), ...residual(figures)].join("\n");
}

/** Of a picture that was moved to where it fits the truth best. */
function movedCaption(image: Float32Array, truth: Float32Array, shape: ImageShape, figures: Figures): string {
  return [judged(image, truth, shape), ["aligned", ...residual(figures)].join(", ")].join("\n");
}

function judged(image: Float32Array, truth: Float32Array, shape: ImageShape): string {
  const batch = [1, ...shape] as const;
  // SSIM's window needs 11 pixels.
  const similarity = Math.min(...shape.slice(1)) < 11 ? undefined : ssim(image, truth, batch)[0]!;
  return quality(psnr(image, truth, batch)[0]!, similarity);
}

/** A simple method's picture, moved as samples are. */
function simpleCell(values: Float32Array, figures: Figures, truth: Float32Array | undefined, shape: ImageShape): Cell {
  if (!truth || figures.aligned === undefined) return { image: picture(values, shape), label: caption(figures) };
  const moved = aligned(values, truth, shape, ALIGN_REACH).picture;
  return { image: picture(moved, shape), label: movedCaption(moved, truth, shape, figures) };
}

function shownOf(
  values: { readonly truth?: Float32Array; readonly samples: readonly Float32Array[] },
  result: Omit<ImageResult, "files">,
  shape: ImageShape,
): Shown {
  const { truth, samples } = values;
  const movable = result.samples[0]!.aligned !== undefined;
  if (!truth || !movable) {
    return {
      ...values,
      ...moments(samples),
      words: result.samples.map(caption),
      meanWords: caption(result.mean),
      chosen: result.best ?? result.mostConsistent,
      why: result.best === undefined ? "lowest chi²" : "best",
    };
  }
  const moved = samples.map((sample) => aligned(sample, truth, shape, ALIGN_REACH));
  const pictures = moved.map((one) => one.picture);
  const centre = moments(pictures);
  return {
    ...{ truth, samples: pictures, ...centre },
    words: pictures.map((image, run) => movedCaption(image, truth, shape, result.samples[run]!)),
    meanWords: `${judged(centre.mean, truth, shape)}\nof the aligned samples`,
    chosen: extreme(moved, (one) => -one.psnr),
    why: "best",
  };
}

/** Root mean square over the channels. */
function overChannels(values: Float32Array, [c, h, w]: ImageShape): Float32Array {
  const plane = h * w;
  return Float32Array.from({ length: plane }, (_, p) => {
    let sum = 0;
    for (let ch = 0; ch < c; ch++) sum += values[ch * plane + p]! ** 2;
    return Math.sqrt(sum / c);
  });
}

/** std and error in one scale: where they look alike, the samples spread as they err. */
function maps({ truth, mean, std }: Shown, shape: ImageShape): { std?: Cell; error?: Cell } {
  const [, h, w] = shape;
  const map = (values: Float32Array) => mapped(overChannels(values, shape), [h, w], STD_WHITE);
  return {
    ...(std && { std: map(std) }),
    ...(truth && { error: map(mean.map((v, i) => v - truth[i]!)) }),
  };
}

const withName = (name: string, cell: Cell): Cell => ({ ...cell, label: cell.label ? `${name}\n${cell.label}` : name });

function captionOf(head: SheetHead, { samples, mean }: Pick<ImageResult, "samples" | "mean">, [c]: ImageShape): string {
  const { description, noise, sampler, checkpoint } = head;
  const { nfe, vjps } = samples[0]!;
  const cost = `${nfe} network evaluations${vjps ? ` and ${vjps} derivatives` : ""} a sample`;
  const what = [...(samples.length > 1 ? ["std"] : []), ...(mean.psnr === undefined ? [] : ["error"])].join(" and ");
  const over = c > 1 ? ", root mean square over the channels" : "";
  const scale = what ? ` Of pixels from -1 to 1: ${what}${over}.` : "";
  return `${description}; ${noise}. ${sampler.title}, ${cost}; ${basename(checkpoint.name)}.${scale}`;
}

/** Of one image: truth, measurement, operator, simple methods, mean and maps; below them every sample, the best one framed. */
export function imageSheet(
  head: SheetHead,
  r: {
    readonly truth?: Float32Array;
    readonly samples: readonly Float32Array[];
    readonly baselines: Readonly<Record<string, Float32Array>>;
  },
  result: Omit<ImageResult, "files">,
  shape: ImageShape,
  measurement: RawImage | undefined,
  aperture: Aperture | undefined,
): Sheet {
  const shown = shownOf(r, result, shape);
  const single = shown.samples.length === 1;
  const { std, error } = maps(shown, shape);
  const first: Cell[] = [];
  if (r.truth)
    first.push({ image: picture(r.truth, shape), label: ["truth", result.className].filter(Boolean).join("\n") });
  if (measurement) first.push({ image: measurement, label: "measurement" });
  if (aperture) first.push({ image: aperture.image, label: aperture.name });
  for (const [method, values] of Object.entries(r.baselines)) {
    // The measurement as a reconstruction of its own is shown already.
    if (method === "measurement") continue;
    first.push(withName(method, simpleCell(values, result.baselines[method]!, r.truth, shape)));
  }
  if (!single)
    first.push({ image: picture(shown.mean, shape), label: `mean of ${shown.samples.length}\n${shown.meanWords}` });
  if (std) first.push(withName("std", std));
  if (error) first.push(withName(single ? "error" : "error of the mean", error));
  const samples = shown.samples.map((values, run): Cell => {
    const marked = !single && run === shown.chosen;
    const name = single ? head.sampler.title : `sample ${run}${marked ? ` (${shown.why})` : ""}`;
    return { image: picture(values, shape), label: `${name}\n${shown.words[run]!}`, marked };
  });
  const columns = Math.min(
    Math.max(first.length, COLUMNS),
    single ? first.length + 1 : Math.max(first.length, samples.length),
  );
  const lines = single ? [[...first, ...samples]] : [first, ...inLines(samples, columns)];
  const rows = lines.map((cells) => ({ cells: Array.from({ length: columns }, (_, i) => cells[i]) }));
  return { title: `${head.task}: ${result.name}`, caption: captionOf(head, result, shape), rows, least: LEAST };
}

const inLines = <T>(list: readonly T[], length: number): T[][] =>
  Array.from({ length: Math.ceil(list.length / length) }, (_, i) => list.slice(i * length, (i + 1) * length));

/** One row an image, from the finished folders: truth, measurement, simple methods, best sample, mean and maps. */
export async function overviewSheet(
  head: SheetHead,
  outdir: string,
  results: readonly ImageResult[],
  shape: ImageShape,
): Promise<Sheet> {
  const shownResults = results.slice(0, OVERVIEW_IMAGES);
  const one = results[0]!;
  const methods = Object.keys(one.baselines).filter((method) => method !== "measurement");
  const single = one.samples.length === 1;
  const count = one.samples.length;
  const chosen = single ? head.sampler.title : one.best === undefined ? "lowest chi²" : `best of ${count}`;
  const all = [
    "truth",
    "measurement",
    ...methods,
    chosen,
    ...(single ? ["error"] : [`mean of ${count}`, "std", "error of the mean"]),
  ];
  const rows: { label: string; cells: (Cell | undefined)[] }[] = [];
  for (const result of shownResults) {
    const dir = join(outdir, result.name);
    const shown = shownOf(await valuesOf(dir, shape), result, shape);
    const { std, error } = maps(shown, shape);
    const file = (name: string, label = ""): Cell | undefined => {
      const image = readPicture(dir, name);
      return image && { image, label };
    };
    const simple = (method: string): Cell | undefined => {
      const image = readPicture(dir, baselineName(method));
      return image && simpleCell(valuesFromImages([image]).values, result.baselines[method]!, shown.truth, shape);
    };
    const cells = [
      file("truth.png", result.className),
      file("measurement.png"),
      ...methods.map(simple),
      { image: picture(shown.samples[shown.chosen]!, shape), label: shown.words[shown.chosen]! },
      ...(single ? [] : [{ image: picture(shown.mean, shape), label: shown.meanWords }, std]),
      error,
    ];
    rows.push({ label: result.name, cells });
  }
  // Columns that no image has (the truth of a real measurement) are left out.
  const kept = all.flatMap((_, i) => (rows.some((row) => row.cells[i]) ? [i] : []));
  const more = results.length > rows.length ? ` The first ${rows.length} of ${results.length} images.` : "";
  return {
    title: head.task,
    caption: `${captionOf(head, one, shape)}${more}`,
    groups: [{ columns: kept.map((i) => all[i]!) }],
    rows: rows.map(({ label, cells }) => ({ label, cells: kept.map((i) => cells[i]) })),
    least: LEAST,
  };
}

/** Values of a finished folder. */
async function valuesOf(dir: string, shape: ImageShape) {
  const file = await openCheckpoint(join(dir, VALUES));
  try {
    const all = await file.readF32("samples");
    const samples = parts(all, all.length / shape.reduce((a, b) => a * b, 1));
    return { samples, ...(file.tensors.has("truth") ? { truth: await file.readF32("truth") } : {}) };
  } finally {
    await file.close();
  }
}
