import { pageHtml } from "../evaluate/page.js";
import { chartSvg, escapeXml as text } from "../evaluate/svg.js";
import type { Calibration, Entry } from "./calibrate.js";
import { coverageSvg, histogramSvg } from "./charts.js";
import type { Figure, Judgement, Spread } from "./judged.js";

/** What the page says beside the figures. */
export interface PageHead {
  readonly task: string;
  /** The task's operator in words. */
  readonly description: string;
  readonly version: string;
  readonly date: string;
  readonly adapter: string;
  /** The command that made it. */
  readonly command: string;
}

const STYLE = `
table { font-size: .93em; } th, td { padding: .3em .5em; }
td.off { color: light-dark(#a33000, #ff9b6b); font-weight: 600; }
.verdict { border-left: 4px solid #d55e00; padding-left: .7em; } .verdict.passed { border-color: #009e73; }
.failed { background: light-dark(#ffe3d6, #43220f); border: 1px solid #d55e00; padding: .7em 1em; }
.charts { gap: 1em 1.5em; } .charts figure { flex-basis: 300px; max-width: 460px; } svg text { font-size: 11px; }
.band { fill: #999; fill-opacity: .28; }
`;

/** The page of a calibration: verdicts, a table, and for every sampler its charts. */
export function calibrationPage(c: Calibration, head: PageHead): string {
  const rows = [
    { label: "exact draws", ...c.control, entry: undefined },
    ...c.entries.map((e) => ({ ...e, entry: e })),
  ];
  return pageHtml(`Calibration: ${head.task}`, STYLE, [
    `<h1>Calibration on ${text(head.task)}</h1>`,
    `<p class="sub">${text(headline(c, head))}</p>`,
    c.control.passed
      ? ""
      : `<p class="failed"><strong>The check itself failed:</strong> exact draws of the posterior were judged wrong (${text(c.control.verdict)}). Nothing below counts.</p>`,
    c.ess === undefined || c.ess >= 3
      ? ""
      : `<p class="failed">The posterior is spread over ${c.ess.toFixed(1)} pictures on average: nearly a point. Take a larger sigma_y.</p>`,
    "<h2>Verdicts</h2>",
    ...rows.map(
      ({ label, passed, verdict }) =>
        `<p class="verdict${passed ? " passed" : ""}"><strong>${text(label)}</strong>: ${text(verdict)}</p>`,
    ),
    "<h2>Figures</h2>",
    `<div class="scroll"><table><thead><tr>${COLUMNS.map(([name]) => `<th>${text(name)}</th>`).join("")}</tr></thead><tbody>`,
    ...rows.map(
      (row) =>
        `<tr><td>${text(row.label)}</td>${COLUMNS.slice(1)
          .map(([, of]) => of!(row.judgement, row.entry))
          .join("")}</tr>`,
    ),
    "</tbody></table></div>",
    `<p class="sub">${text(NOTES(c))}</p>`,
    ...evaluationsChart(c),
    ...rows.flatMap(({ label, judgement, entry }) => [
      `<h2>${text(label)}</h2>`,
      entry ? `<p class="sub">${text(entry.sampler)}: <code>${text(settingsText(entry.settings))}</code></p>` : "",
      `<div class="charts">${histogramSvg("Ranks", judgement, c.cases)}${coverageSvg("Coverage", judgement)}</div>`,
    ]),
    "<h2>How it was made</h2>",
    `<p><code>${text(head.command)}</code></p>`,
    `<p class="sub">Seed ${c.seed}; ncvsd-gpu ${text(head.version)} on ${text(head.adapter)}, ${text(head.date)}.</p>`,
  ]);
}

/** Settings in a line, numbers to five digits. */
function settingsText(settings: Entry["settings"]): string {
  const shown = (_: string, v: unknown) =>
    typeof v !== "number" ? v : Number.isFinite(v) ? Number(v.toPrecision(5)) : "inf";
  return JSON.stringify(settings, shown);
}

function headline(c: Calibration, head: PageHead): string {
  const parts = [
    `Prior: ${c.prior}`,
    `measurement: ${head.description}, sigma_y ${c.sigmaY}`,
    `${c.cases} cases, ${c.runs} runs each`,
  ];
  if (c.ess !== undefined) parts.push(`posteriors spread over ${c.ess.toFixed(1)} pictures on average`);
  if (c.directions) parts.push(`${c.directions.measured} measured directions, ${c.directions.blind} blind ones`);
  return `${parts.join("; ")}.`;
}

const NOTES = ({ runs, directions }: Calibration) =>
  `What is right at ${runs} runs stands in brackets: not the level itself. Bold: off by more than 3 standard errors. Factor: what standard deviations have to be multiplied by. Gap: squared error of the means, in posterior variances. Misfit: |A x - y| / (sigma_y sqrt m). W1: sliced, to exact draws, in posterior deviations.${directions ? "" : " Measured and blind directions can't be told apart: the operator isn't linear, or too large."}`;

const isOff = ({ value, expected, error }: Figure) => Math.abs(value - expected) > 3 * error;

function cell(figure: Figure | undefined, digits: number, right: boolean): string {
  if (!figure) return "<td></td>";
  const expected = right ? ` (${figure.expected.toFixed(digits)})` : "";
  return `<td${isOff(figure) ? ' class="off"' : ""}>${figure.value.toFixed(digits)}${expected}</td>`;
}

const spread = (of: (j: Judgement) => Spread | undefined) => (j: Judgement) => cell(of(j)?.factor, 2, false);

const COLUMNS: readonly (readonly [string, ((j: Judgement, entry: Entry | undefined) => string)?])[] = [
  ["sampler"],
  [
    "evaluations",
    (_, entry) =>
      `<td>${entry ? entry.evaluations : ""}${entry?.derivatives ? ` + ${entry.derivatives} J\u2032v` : ""}</td>`,
  ],
  ["central 50", (j) => cell(j.all.central[50], 2, true)],
  ["central 90", (j) => cell(j.all.central[90], 2, true)],
  ["HPD 50", (j) => cell(j.hpd[50], 2, true)],
  ["HPD 90", (j) => cell(j.hpd[90], 2, true)],
  ["factor", spread((j) => j.all)],
  ["factor, measured", spread((j) => j.measured)],
  ["factor, blind", spread((j) => j.blind)],
  ["gap", (j) => cell(j.gap, 3, false)],
  ["misfit", (j) => cell(j.misfit, 2, true)],
  ["W1", (j) => cell(j.slicedW1, 3, true)],
];

/** Sliced W1 by evaluations, of samplers that have steps to change. */
function evaluationsChart({ entries, control }: Calibration): string[] {
  const series = entries
    .filter(({ curve }) => curve.length > 1)
    .map(({ label, curve }) => ({
      name: label,
      points: curve.map(({ evaluations, slicedW1 }) => ({ x: evaluations, y: slicedW1.value })),
    }));
  if (series.length === 0) return [];
  const floor = control.judgement.slicedW1.expected;
  const xs = series.flatMap(({ points }) => points.map(({ x }) => x));
  const level = [Math.min(...xs), Math.max(...xs)].map((x) => ({ x, y: floor }));
  return [
    "<h2>Distance by evaluations</h2>",
    `<div class="charts">${chartSvg({
      title: "Sliced W1 to exact draws",
      xLabel: "evaluations of the network",
      yLabel: "in posterior deviations",
      series: [...series, { name: "exact draws", points: level }],
    })}</div>`,
  ];
}
