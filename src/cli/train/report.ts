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
body { font: 15px/1.5 system-ui, sans-serif; color: #1a1a1a; background: #fff; max-width: 1120px; margin: 2em auto; padding: 0 1.2em; }
h1 { font-size: 1.6em; margin-bottom: .1em; } h2 { font-size: 1.2em; margin-top: 2em; } p.sub { color: #666; }
table { border-collapse: collapse; } th, td { padding: .2em .8em .2em 0; text-align: left; vertical-align: top; } th { font-weight: normal; color: #666; }
.charts, .samples { display: flex; flex-wrap: wrap; gap: 1.5em; } .charts figure { margin: 0; flex: 1 1 420px; max-width: 540px; }
.samples figure { margin: 0; } .samples img { max-width: 100%; display: block; background: #eee; }
figcaption { font-weight: 600; } svg { width: 100%; height: auto; } svg text { font-size: 12px; fill: #333; }
.grid { stroke: #e4e4e4; } .axis { stroke: #666; }
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
