import { basename } from "node:path";
import { counted, oneLine, printable } from "../../errors.js";
import type { Coverage } from "../../evaluate/calibration.js";
import type { OptionValue } from "../../runs/origin.js";
import { formatDuration } from "../../runs/progress.js";
import type { TuningRecord } from "../../runs/run-record.js";
import { table } from "../../runs/table.js";

/** Figures of one reconstruction. PSNR (dB) and SSIM need the truth; chi^2 = ||A(x) - y||^2 / (m sigma_y^2) does not. */
export interface Figures {
  readonly psnr?: number;
  readonly ssim?: number;
  /** Absent where the method's result cannot be told from A (nothing to compare). */
  readonly chi2?: number;
  readonly lpips?: number;
  /** Phase retrieval: PSNR after undoing what amplitudes cannot tell (a shift, a rotation by 180 degrees). */
  readonly aligned?: number;
}

/** One sample of the posterior. */
export interface SampleFigures extends Figures {
  readonly seed: number;
  /** Network evaluations. */
  readonly nfe: number;
  /** Vector-Jacobian products of the network; absent: none. */
  readonly vjps?: number;
  /** Levels whose conjugate gradients were stopped by --cg-iterations, for any sample of the batch; absent: none. */
  readonly capped?: number;
  /** The batch's time shared among its reconstructions. */
  readonly seconds: number;
}

/** `result.json` of one image: everything that is reported of it. */
export interface ImageResult {
  readonly tool: "ncvsd-gpu";
  readonly format: 1;
  readonly name: string;
  /** Of the options, the checkpoint and the input. */
  readonly key: string;
  readonly label?: number;
  readonly className?: string;
  readonly samples: readonly SampleFigures[];
  readonly mean: Figures;
  /** Index of the sample with the highest PSNR; absent without the truth. */
  readonly best?: number;
  /** Index of the sample with the lowest chi^2. */
  readonly mostConsistent: number;
  /** Simple methods, by name. */
  readonly baselines: Readonly<Record<string, Figures>>;
  /** SHA-256 of every other file of the image's folder. */
  readonly files: Readonly<Record<string, string>>;
}

/** One line of the summary: means over the images. */
export interface SummaryRow extends Figures {
  readonly method: string;
  readonly images: number;
  /** Network evaluations and seconds of one image by this method; absent for baselines. */
  readonly nfe?: number;
  readonly vjps?: number;
  readonly seconds?: number;
}

/** Whether samples spread as their errors do, over every pixel of the images. */
export interface Spread {
  readonly images: number;
  /** By level in percent: the share of truths in the samples' central interval, what a right sampler has, and 95% bounds of that. */
  readonly coverage: Readonly<Record<string, Coverage>>;
  /** The levels that so many samples can tell apart. */
  readonly knownLevels: readonly string[];
  readonly rankHistogram: { readonly counts: readonly number[]; readonly bins: number; readonly chi2: number };
  /** What the std map has to be multiplied by; above 1: too narrow. */
  readonly calibrationFactor: number;
}

/** What all images of a run share, for the report. */
export interface ReportHead {
  readonly task: string;
  readonly description: string;
  readonly notes: readonly string[];
  readonly sigmaY: number;
  /** "noise 0.05" */
  readonly noise: string;
  readonly sampler: { readonly name: string; readonly title: string; readonly settings: OptionValue };
  readonly options: OptionValue;
  readonly version: string;
  readonly command: readonly string[];
  readonly adapter: string;
  readonly tuning: TuningRecord | null;
  readonly checkpoint: { readonly name: string; readonly sha256: string };
}

type SummaryHead = Pick<ReportHead, "sampler">;

const FIGURES = ["psnr", "ssim", "lpips", "aligned", "chi2"] as const;

function meanOf(all: readonly Figures[]): Figures {
  const out: { -readonly [K in keyof Figures]: number } = {};
  for (const figure of FIGURES) {
    const values = all.flatMap((f) => f[figure] ?? []);
    if (values.length > 0) out[figure] = values.reduce((a, b) => a + b, 0) / values.length;
  }
  return out;
}

/** The methods' means over the images: baselines, then single samples, their mean, and the best of them. */
export function summarise({ sampler }: SummaryHead, results: readonly ImageResult[]): SummaryRow[] {
  const { title } = sampler;
  const first = results[0];
  if (!first) return [];
  const runs = first.samples.length;
  const images = results.length;
  const samples = results.flatMap((r) => r.samples);
  const { nfe, vjps } = first.samples[0]!;
  const seconds = samples.reduce((a, s) => a + s.seconds, 0) / samples.length;
  const cost = (samples: number) => ({
    ...{ images, nfe: nfe * samples, seconds: seconds * samples },
    ...(vjps ? { vjps: vjps * samples } : {}),
  });
  const all = cost(runs);
  const rows: SummaryRow[] = Object.keys(first.baselines).map((method) => ({
    method,
    images,
    ...meanOf(results.flatMap((r) => r.baselines[method] ?? [])),
  }));
  rows.push({ method: `${title}, one sample`, ...cost(1), ...meanOf(samples) });
  if (runs === 1) return rows;
  rows.push({ method: `${title}, mean of ${runs}`, ...all, ...meanOf(results.map((r) => r.mean)) });
  rows.push({
    method: `${title}, lowest chi^2 of ${runs}`,
    ...all,
    ...meanOf(results.map((r) => r.samples[r.mostConsistent]!)),
  });
  const best = results.flatMap((r) => (r.best === undefined ? [] : r.samples[r.best]!));
  if (best.length > 0) rows.push({ method: `${title}, best PSNR of ${runs}`, ...all, ...meanOf(best) });
  return rows;
}

/** Columns of a table that some row has. */
const COLUMNS = [
  { key: "psnr", title: "PSNR (dB)", digits: 2 },
  { key: "ssim", title: "SSIM", digits: 3 },
  { key: "lpips", title: "LPIPS", digits: 3 },
  { key: "aligned", title: "aligned PSNR", digits: 2 },
  { key: "chi2", title: "chi^2", digits: 2 },
  { key: "nfe", title: "NFE", digits: 0 },
  { key: "vjps", title: "VJPs", digits: 0 },
  { key: "seconds", title: "seconds", digits: 2 },
] as const;

/** A number for a table; large ones (chi^2 of a bad reconstruction) without decimals. */
const cell = (v: number | undefined, digits: number) =>
  v === undefined ? "-" : v.toFixed(Math.abs(v) >= 1000 ? 0 : digits);

type Row = Figures & { readonly nfe?: number; readonly vjps?: number; readonly seconds?: number };

function markdownTable(first: string, rows: readonly (readonly [name: string, row: Row])[]): string[] {
  const columns = COLUMNS.filter(({ key }) => rows.some(([, row]) => row[key] !== undefined));
  return [
    `| ${first} | ${columns.map((c) => c.title).join(" | ")} |`,
    `| --- |${" ---: |".repeat(columns.length)}`,
    ...rows.map(
      ([name, row]) =>
        `| ${oneLine(name).replaceAll("|", "\\|")} | ${columns.map((c) => cell(row[c.key], c.digits)).join(" | ")} |`,
    ),
  ];
}

const share = (v: number) => v.toFixed(2);

/** The spread in sentences. */
function spreadLines(spread: Spread | undefined): string[] {
  if (!spread) return [];
  const { coverage, knownLevels, calibrationFactor, rankHistogram } = spread;
  const levels = Object.entries(coverage).map(
    ([level, { observed, expected, band }]) =>
      `at ${level}% ${share(observed)}, where ${share(expected)} is right (${share(Math.max(0, band[0]))} to ${share(Math.min(1, band[1]))} by chance)`,
  );
  const runs = knownLevels.at(-1)!.split("/")[1]!;
  return [
    "",
    `Share of truths in the samples' central interval: ${levels.join("; ")}. So many samples know the levels ${knownLevels.join(", ")} only.`,
    `Ranks of the truth among ${Number(runs) - 1} samples: ${rankHistogram.counts.join(", ")}. The std map has to be multiplied by ${share(calibrationFactor)} to fit the errors.`,
  ];
}

/** `metrics.md`: the summary, then every image. */
export function markdown(head: ReportHead, results: readonly ImageResult[], spread?: Spread): string {
  const rows = summarise(head, results);
  const perImage = results.flatMap((result) => {
    const chosen = result.best ?? result.mostConsistent;
    const how = result.best === undefined ? "lowest chi^2" : "best";
    const shown: [string, Row][] = result.samples.map((s, r) => [
      `${result.name}, sample ${r}${r === chosen && result.samples.length > 1 ? ` (${how})` : ""}`,
      s,
    ]);
    if (result.samples.length > 1) shown.push([`${result.name}, mean`, result.mean]);
    return shown;
  });
  const lines = [
    `# ${head.task}`,
    "",
    `${head.description}; measurement ${head.noise}; ${head.sampler.title}; ${basename(head.checkpoint.name)}.`,
    ...head.notes.map((note) => `\n${note}`),
    "",
    `Means over ${counted(results.length, "image")}:`,
    "",
    ...markdownTable(
      "method",
      rows.map((row) => [row.method, row]),
    ),
    "",
    "chi^2 = ||A(x) - y||^2 / (m sigma_y^2), of counts and rounded values with their own variances: 1 is what the noise alone gives. Seconds and NFE are those of one image by the method.",
    ...spreadLines(spread),
    "",
    "## Every reconstruction",
    "",
    ...markdownTable("image", perImage),
    "",
    `Made by \`${head.command.join(" ")}\` (ncvsd-gpu ${head.version}, ${head.adapter}).`,
    "",
  ];
  return printable(lines.join("\n"));
}

/** Under names of their own beside the summary. */
const spreadFields = (spread: Spread | undefined) => {
  if (!spread) return {};
  const { images: spreadImages, ...rest } = spread;
  return { spreadImages, ...rest };
};

/** `metrics.json`. */
export function metricsJson(
  head: ReportHead,
  results: readonly ImageResult[],
  complete: boolean,
  spread?: Spread,
): string {
  const images = Object.fromEntries(
    results.map(({ name, samples, mean, best, mostConsistent, baselines, label, className }) => [
      name,
      { label, className, samples, mean, best, mostConsistent, baselines },
    ]),
  );
  const file = {
    tool: "ncvsd-gpu",
    format: 1,
    ...head,
    complete,
    summary: summarise(head, results),
    ...spreadFields(spread),
    images,
  };
  return `${JSON.stringify(file, null, 2)}\n`;
}

/** The summary as plain text for a terminal. */
export function summaryText(head: SummaryHead, results: readonly ImageResult[]): string {
  const rows = summarise(head, results);
  const columns = COLUMNS.filter(({ key }) => rows.some((row) => row[key] !== undefined));
  const cells = rows.map((row) => [
    row.method,
    ...columns.map(({ key, digits }) => {
      const value = row[key];
      if (value === undefined) return "";
      return key === "seconds" ? formatDuration(value) : cell(value, digits);
    }),
  ]);
  const titles = ["method", ...columns.map(({ title }) => title)];
  // A best one of several was chosen by the truth, and is no method.
  const judged = rows.flatMap(({ psnr, aligned = psnr, method }, i) =>
    aligned === undefined || /, best PSNR of \d+$/.test(method) ? [] : [{ i, db: aligned }],
  );
  const best = judged.length > 1 ? [judged.reduce((a, b) => (b.db > a.db ? b : a)).i] : [];
  return table(titles, cells, { indent: 2, cut: ["method"], best, stream: process.stderr }).join("\n");
}
