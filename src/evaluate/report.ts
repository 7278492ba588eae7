import { PICTURES } from "./feature-rows.js";
import { pageHtml } from "./page.js";
import { type FdResult, formatDistance, type MetricResult, percent, samplerLabel } from "./result.js";
import { chartSvg, escapeXml as text } from "./svg.js";

/** A picture in the report: a PNG file, and what to say of it. */
export interface ReportImage {
  readonly png: Uint8Array;
  readonly label: string;
}

/** Pictures of one run. */
export interface RunPictures {
  /** Rows of a grid, one a class. */
  readonly grid: readonly { readonly label: string; readonly images: readonly ReportImage[] }[];
  /** Generated images, each with the data's images whose features are nearest. */
  readonly neighbours?: readonly {
    readonly image: ReportImage;
    readonly nearest: readonly (ReportImage & { readonly distance: number })[];
  }[];
}

export interface ReportRun {
  readonly name: string;
  readonly result: FdResult;
  /** Why there are none, in a sentence; or the pictures. */
  readonly pictures: RunPictures | string;
  /** What papers or model cards state of this run, by each of its metrics. */
  readonly stated?: readonly number[];
}

export interface Report {
  readonly title: string;
  readonly runs: readonly ReportRun[];
  /** Where the nearest neighbours were looked for, and among how many. */
  readonly data?: { readonly name: string; readonly count: number };
  readonly version: string;
  readonly date: string;
}

const STYLE = `
.grids { display: flex; flex-wrap: wrap; gap: 0 2.5em; } .grids section { max-width: 100%; }
img { image-rendering: pixelated; display: block; background: var(--blank); }
table.pictures td, table.pictures th { border: 0; padding: 1px; font-weight: normal; } table.pictures th { padding-right: .8em; }
table.pictures img { width: 48px; height: 48px; }
.neighbours { display: grid; grid-template-columns: repeat(auto-fill, minmax(240px, 1fr)); gap: 10px 18px; }
.neighbours div { display: flex; gap: 2px; } .neighbours figure { margin: 0; flex: 0 0 auto; } .neighbours img { width: 48px; height: 48px; }
.neighbours figure:first-child { margin-right: 8px; } .neighbours figure:first-child img { outline: 2px solid #0072b2; }
.neighbours figcaption { font-weight: normal; font-size: .7em; color: var(--soft); text-align: center; }
@media (max-width: 560px) { table.pictures img { width: 30px; height: 30px; } table.pictures th { font-size: .8em; padding-right: .4em; } }
`;

/** One page that needs nothing else: styles, charts (SVG) and pictures (PNG) are in it. */
export function reportHtml(report: Report): string {
  const { title, runs, version, date } = report;
  const sections = [
    `<h1>${text(title)}</h1>`,
    `<p class="sub">ncvsd-gpu ${text(version)}, ${text(date.slice(0, 10))}. Frechet distance (FD) in the feature space of ${text(unique(runs.flatMap(({ result }) => metricsOf(result).map(({ features }) => features.name))))}; smaller is closer to the data. Distances in different feature spaces cannot be compared. Made on ${text(unique(runs.map(({ result }) => result.adapter)))}.</p>`,
    resultTable(runs),
    overlapSentence(runs),
    charts(runs),
    classTable(runs),
    `<h2>Images by class, of the first seeds</h2>\n<div class="grids">${runs.map(pictureSection).join("\n")}</div>`,
    ...runs.map((run) => neighbourSection(run, report.data)),
  ];
  return pageHtml(title, STYLE, sections);
}

const metricsOf = (result: FdResult): readonly MetricResult[] => [result, ...(result.others ?? [])];

/** A line for each metric, with its name where it has one. */
const byMetric = (result: FdResult, value: (metric: MetricResult, k: number) => string): string =>
  metricsOf(result)
    .map((metric, k) => [metric.features.metric ? `${text(metric.features.metric)} ` : "", value(metric, k)].join(""))
    .join("<br>");

const kindOf = ({ features: { metric, name, variant } }: FdResult) =>
  [metric ?? name, variant].filter(Boolean).join(" ");

/** Pairs of runs that a sentence names at most. */
const PAIRS = 6;

const unique = (names: readonly string[]) => [...new Set(names)].join(", ");

function table(head: readonly string[], rows: readonly (readonly string[])[], className = ""): string {
  const cells = (tag: string, row: readonly string[]) => row.map((c) => `<${tag}>${c}</${tag}>`).join("");
  const body = rows.map((row) => `<tr>${cells("td", row)}</tr>`).join("\n");
  return `<div class="scroll"><table class="${className}"><thead><tr>${cells("th", head)}</tr></thead>\n<tbody>${body}</tbody></table></div>`;
}

function resultTable(runs: readonly ReportRun[]): string {
  const beside = runs.some(({ stated }) => stated !== undefined);
  const head = [
    "samples",
    "images",
    "evaluations per image",
    "FD",
    "95% interval",
    ...(beside ? ["FD stated"] : []),
    "class agreement",
    "images/s",
    "made in",
  ];
  return table(
    head,
    runs.map(({ name, result, stated }) => [
      `${text(name)}<br><small>${text(fileName(result.checkpoint.name))}, ${text(conditions(result))}</small>`,
      text(String(result.n)),
      text(String(result.evaluationsPerImage)),
      byMetric(result, ({ fd }) => `<b>${formatDistance(fd)}</b>`),
      result.interval ? `${formatDistance(result.interval.low)} to ${formatDistance(result.interval.high)}` : "",
      ...(beside ? [byMetric(result, (_, k) => (stated?.[k] === undefined ? "" : formatDistance(stated[k])))] : []),
      result.labels ? percent(result.labels.agreement) : "",
      result.timing.imagesPerSecond.toPrecision(3),
      `${result.timing.seconds.toFixed(0)} s${result.shards > 1 ? ` in ${result.shards} shards` : ""}`,
    ]),
  );
}

/** What the images were held against, wherever the file was. */
const referenceOf = ({ reference: { file, count } }: FdResult) => `${file.split(/[\\/]/).at(-1)} ${count}`;

/** Distances of as many images, in the same features, to the same data can be compared. */
const comparable = (a: FdResult, b: FdResult) =>
  a.n === b.n && kindOf(a) === kindOf(b) && referenceOf(a) === referenceOf(b);

/** Which runs the intervals do not tell apart; nothing where no two can be compared. */
function overlapSentence(runs: readonly ReportRun[]): string {
  const pairs = runs.flatMap((a, i) =>
    runs.slice(i + 1).flatMap((b) => {
      const [one, other] = [a.result.interval, b.result.interval];
      if (!one || !other || !comparable(a.result, b.result)) return [];
      return [{ names: `${a.name} and ${b.name}`, overlap: one.low <= other.high && other.low <= one.high }];
    }),
  );
  if (pairs.length === 0) return "";
  const close = pairs.filter(({ overlap }) => overlap).map(({ names }) => names);
  const more = close.length > PAIRS ? `, and of ${close.length - PAIRS} pairs more` : "";
  const said =
    close.length === 0
      ? `${pairs.length === 1 ? "The two" : "No two"} 95% intervals ${pairs.length === 1 ? "do not " : ""}overlap.`
      : `The 95% intervals of ${close.slice(0, PAIRS).join("; of ")}${more} overlap: these distances do not say which is better.${close.length < pairs.length ? " The others are apart." : ""}`;
  return `<p>${text(said)}</p>`;
}

/** "f32, classes: seed modulo 10" */
const conditions = ({ options }: FdResult): string =>
  [options.precision, options.class === undefined || options.class === null ? null : `classes: ${options.class}`]
    .filter((part) => part !== undefined && part !== null)
    .join(", ");

function charts(runs: readonly ReportRun[]): string {
  // Distances in different features are no course of one another.
  const several = new Set(runs.map(({ result }) => kindOf(result))).size > 1;
  const told = (name: string, result: FdResult) => (several ? `${name}, ${kindOf(result)}` : name);
  const byNet = new Map<string, ReportRun[]>();
  for (const run of runs) {
    const key = told(fileName(run.result.checkpoint.name), run.result);
    byNet.set(key, [...(byNet.get(key) ?? []), run]);
  }
  const steps = chartSvg({
    title: "FD against network evaluations",
    xLabel: "network evaluations per image",
    yLabel: "FD",
    series: [...byNet].map(([name, list]) => ({
      name,
      points: list.map(({ result: r }) => ({
        x: r.evaluationsPerImage,
        y: r.fd,
        low: r.interval?.low,
        high: r.interval?.high,
      })),
    })),
  });
  const samples = chartSvg({
    title: "FD against the number of images",
    xLabel: "images (the first n of the run)",
    yLabel: "FD",
    series: runs.map(({ name, result }) => ({
      name: told(name, result),
      points: result.curve.map(({ n, fd }) => ({ x: n, y: fd })),
    })),
  });
  return `<h2>Steps and samples</h2>\n<div class="charts">${steps}\n${samples}</div>`;
}

function classTable(runs: readonly ReportRun[]): string {
  const classified = runs.filter(({ result }) => result.labels);
  const classes = classified[0]?.result.labels?.perClass;
  if (!classes || classes.length > 100) return "";
  const rows = classes.map((c) => [
    text(c.name ?? `class ${c.class}`),
    ...classified.map(({ result }) => {
      const found = result.labels?.perClass.find((other) => other.class === c.class);
      return found ? percent(found.agreement) : "";
    }),
  ]);
  const head = ["class", ...classified.map(({ name }) => text(name))];
  return `<h2>How often the classifier finds the class asked for</h2>\n${table(head, rows)}`;
}

function picture({ png, label }: ReportImage): string {
  const data = Buffer.from(png).toString("base64");
  return `<img src="data:image/png;base64,${data}" alt="${text(label)}" title="${text(label)}">`;
}

function pictureSection({ name, pictures }: ReportRun): string {
  const head = `<h3>${text(name)}</h3>`;
  if (typeof pictures === "string") return `<section>${head}\n<p>${text(pictures)}</p></section>`;
  const rows = pictures.grid.map(
    ({ label, images }) =>
      `<tr><th scope="row">${text(label)}</th>${images.map((image) => `<td>${picture(image)}</td>`).join("")}</tr>`,
  );
  return `<section>${head}\n<div class="scroll"><table class="pictures">${rows.join("\n")}</table></div></section>`;
}

function neighbourSection({ name, pictures }: ReportRun, data: Report["data"]): string {
  if (typeof pictures === "string" || !pictures.neighbours || !data) return "";
  const items = pictures.neighbours.map(({ image, nearest }) => {
    const cell = (img: ReportImage, caption: string) =>
      `<figure>${picture(img)}<figcaption>${text(caption)}</figcaption></figure>`;
    return `<div>${cell(image, "made")}${nearest.map((n) => cell(n, n.distance.toPrecision(3))).join("")}</div>`;
  });
  return [
    `<h2>Nearest neighbours: ${text(name)}</h2>`,
    `<p>Generated images (framed), each beside the images of ${text(data.name)} (${data.count}) whose features are nearest, with the distance. A copy of an image would be at 0.</p>`,
    `<div class="neighbours">${items.join("\n")}</div>`,
  ].join("\n");
}

const fileName = (path: string) => path.split(/[/\\]/).at(-1)!;

/** A short name of a run, unique among those of a report. */
export function runNames(results: readonly FdResult[]): string[] {
  const labels = results.map(({ options, checkpoint }) =>
    checkpoint.architecture === PICTURES ? fileName(checkpoint.name) : samplerLabel(options),
  );
  return results.map(({ checkpoint, n }, i) => {
    const same = results.filter((_, k) => k !== i && labels[k] === labels[i]);
    if (same.length === 0) return labels[i]!;
    const more = same.some((r) => r.checkpoint.name !== checkpoint.name) ? fileName(checkpoint.name) : `${n} images`;
    return `${labels[i]}, ${more}`;
  });
}
