import { curveSvg } from "../../evaluate/curve-svg.js";
import { pageHtml } from "../../evaluate/page.js";
import { escapeXml as text } from "../../evaluate/svg.js";
import { formatDuration } from "../../runs/progress.js";
import type { LogEntry } from "./log.js";

export interface TrainingReport {
  readonly title: string;
  readonly version: string;
  readonly date: string;
  /** Facts of the run, in the order shown. */
  readonly facts: readonly (readonly [name: string, value: string])[];
  readonly entries: readonly LogEntry[];
  readonly duration: number;
  /** Sheets of samples, oldest first. */
  readonly samples: readonly { readonly images: number; readonly png: Uint8Array }[];
}

const STYLE = `
th, td { padding: .2em .8em .2em 0; text-align: left; vertical-align: top; border: 0; white-space: normal; overflow-wrap: anywhere; }
th { font-weight: normal; color: var(--soft); white-space: nowrap; }
.samples { display: flex; flex-wrap: wrap; gap: 1.5em; } .samples figure { margin: 0; } .samples img { max-width: 100%; display: block; background: var(--blank); }
`;

const AXIS = "thousands of images";

/** One page that needs nothing else: styles, curves (SVG) and pictures (PNG) are in it. */
export function trainingReportHtml(report: TrainingReport): string {
  const { title, version, date, facts, entries, samples, duration } = report;
  const statuses = entries.filter(({ what }) => what === "status");
  const curve = (name: string, of: (entry: LogEntry) => number | undefined, marks = false) =>
    curveSvg({
      title: name,
      xLabel: AXIS,
      points: entries.flatMap((entry) => {
        const y = of(entry);
        return typeof y === "number" ? [{ x: entry.images / 1000, y }] : [];
      }),
      marks,
    });
  const last = statuses.at(-1);
  const rows = facts.map(([name, value]) => `<tr><th>${text(name)}</th><td>${text(value)}</td></tr>`);
  const pictures = samples.map(
    ({ images, png }) =>
      `<figure><figcaption>${text(images.toLocaleString("en"))} images</figcaption><img alt="samples" src="data:image/png;base64,${Buffer.from(png).toString("base64")}"></figure>`,
  );
  const sections = [
    `<h1>${text(title)}</h1>`,
    `<p class="sub">ncvsd-gpu ${text(version)}, ${text(date.slice(0, 16).replace("T", " "))}. ${text(progressLine(last, duration))}</p>`,
    `<div class="charts">${[
      curve("loss", ({ loss }) => loss),
      curve("learning rate", ({ lr }) => lr),
      curve("Frechet distance to the bundled data's statistics", ({ fd }) => fd, true),
      curve("images a second", ({ imagesPerSecond }) => imagesPerSecond),
    ].join("\n")}</div>`,
    pictures.length > 0 ? `<h2>Samples of the average</h2>\n<div class="samples">${pictures.join("\n")}</div>` : "",
    `<h2>Settings</h2>\n<table>${rows.join("\n")}</table>`,
  ];
  return pageHtml(title, STYLE, sections);
}

function progressLine(last: LogEntry | undefined, duration: number): string {
  if (!last) return "Nothing has been trained yet.";
  const { images, imagesPerSecond = 0 } = last;
  const left = images < duration && imagesPerSecond > 0 ? (duration - images) / imagesPerSecond : 0;
  const seen = `${images.toLocaleString("en")} of ${duration.toLocaleString("en")} images`;
  return left > 0 ? `${seen}, ${formatDuration(left)} left at this speed.` : `${seen}.`;
}
