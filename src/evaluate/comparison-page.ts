import { median } from "d3-array";
import { counted } from "../errors.js";
import type { GaussianMixture } from "../priors/mixture.js";
import { type MethodResult, seedSummaries, summary } from "./comparison.js";
import { boxFigure, fieldFigure } from "./comparison-figures.js";
import { COLOURS, type Curve, densityFigure, kernelDensity } from "./density-plot.js";
import { pageHtml } from "./page.js";
import { escapeXml } from "./svg.js";

const STYLE = `
td.cost { white-space: normal; min-width: 9em; }
.figures { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 420px), 1fr)); gap: 1.2em; }
.boxes > div { overflow-x: auto; }
@media (max-width: 560px) { .figures:not(.three, .boxes) svg text { font-size: 15px; } }
.three { grid-template-columns: repeat(auto-fill, minmax(min(100%, 300px), 1fr)); }
`;

/** The length of a score on a grid over a plane, of something that has one. */
export interface ScoreField {
  readonly title: string;
  readonly norms: Float64Array;
}

export interface ComparisonPage {
  readonly title: string;
  /** A sentence on data, models and machine. */
  readonly about: string;
  readonly results: readonly MethodResult[];
  readonly points: number;
  readonly seeds: number;
  readonly particles: number;
  /** The conditional whose samples are shown, and what is given. */
  readonly shown: { readonly given: string; readonly clean: GaussianMixture; readonly smoothed: GaussianMixture };
  readonly fields?: {
    readonly size: number;
    readonly range: readonly [number, number];
    readonly all: readonly ScoreField[];
  };
}

/** The density of a mixture of one coordinate. */
function truthCurve(mixture: GaussianMixture, [low, high]: readonly [number, number]): Curve {
  const at = Float64Array.from({ length: 400 }, (_, i) => low + ((high - low) * i) / 399);
  const logs = mixture.logDensity(at);
  return Array.from(at, (x, i) => [x, Math.exp(logs[i]!)] as const);
}

/** From the least to the largest coordinate that matters: of the truth nearly all, of samples no strays. */
function rangeOf(mixture: GaussianMixture, results: readonly MethodResult[]): [number, number] {
  const all = [
    { values: mixture.sample(2000, 0), tail: 0.002 },
    ...results.map(({ shown }) => ({ values: shown, tail: 0.02 })),
  ].map(({ values, tail }) => ({ sorted: Float64Array.from(values).sort(), tail }));
  const ends = all.map(({ sorted, tail }) => {
    const out = Math.ceil(tail * (sorted.length - 1));
    return [sorted[out]!, sorted[sorted.length - 1 - out]!] as const;
  });
  const [low, high] = [Math.min(...ends.map(([a]) => a)), Math.max(...ends.map(([, b]) => b))];
  return [low - 0.1 * (high - low), high + 0.1 * (high - low)];
}

/** One page: a table of W1, the shown conditional beside its truth, lengths of scores on the plane, box plots. */
export function comparisonPage(page: ComparisonPage): string {
  const { title, about, results, points, seeds, particles, shown, fields } = page;
  const range = rangeOf(shown.smoothed, results);
  const figure = (result: MethodResult, i: number) =>
    densityFigure(`${result.name}, given ${shown.given}`, "the last column", [
      { name: "truth, smoothed", points: truthCurve(shown.smoothed, range), colour: "#c4c4c4", filled: true },
      { name: "clean", points: truthCurve(shown.clean, range), colour: "#888888" },
      { name: result.name, points: kernelDensity(result.shown, range), colour: COLOURS[i % COLOURS.length]! },
    ]);
  const boxes = (kind: "clean" | "smoothed") => {
    const all = results.map((result) => ({ name: result.name, values: result[kind] }));
    // Many methods are wider than a phone: they scroll.
    const least = 100 * all.length + 60;
    return `<div><div style="min-width:${least}px">${boxFigure(`W1 against the ${kind} truth`, "W1", all)}</div></div>`;
  };
  return pageHtml(title, STYLE, [
    `<h1>${escapeXml(title)}</h1>`,
    `<p class="sub">${escapeXml(about)}</p>`,
    `<h2>1-Wasserstein distance of ${particles} samples to as many true draws</h2>`,
    `<p class="sub">${counted(points, "condition")} on all columns but the last, ${counted(seeds, "seed")}. Clean: the mixture's own conditional; smoothed: that of the mixture convolved with the noise that the model is of.</p>`,
    table(results),
    seeds > 1 ? seedTable(results, seeds) : "",
    `<h2>One conditional beside its truth</h2><div class="figures">${results.map(figure).join("\n")}</div>`,
    fields === undefined ? "" : fieldSection(fields),
    `<h2>All conditionals</h2><div class="figures boxes">${boxes("clean")}${boxes("smoothed")}</div>`,
  ]);
}

function fieldSection({ size, range, all }: NonNullable<ComparisonPage["fields"]>): string {
  const truth = Float64Array.from(all.at(-1)!.norms).sort();
  const top = truth[Math.floor(0.98 * truth.length)]!;
  const figures = all.map(({ title, norms }) => fieldFigure({ title, values: norms }, size, range, top));
  return `<h2>Lengths of the scores on the plane</h2><p class="sub">Darkest: ${top.toPrecision(3)} and above.</p><div class="figures three">${figures.join("\n")}</div>`;
}

/** Seed by seed, against the smoothed truth: where every seed has a network of its own, how much networks differ. */
function seedTable(results: readonly MethodResult[], seeds: number): string {
  const pair = (mean: number, max: number) => `<td>${mean.toFixed(3)} / ${max.toFixed(3)}</td>`;
  const rows = results.map(({ name, smoothed }) => {
    const all = seedSummaries(smoothed, seeds);
    const middle = pair(median(all, ({ mean }) => mean)!, median(all, ({ max }) => max)!);
    return `<tr><td>${escapeXml(name)}</td>${all.map(({ mean, max }) => pair(mean, max)).join("")}${middle}</tr>`;
  });
  const head = [...Array.from({ length: seeds }, (_, s) => `seed ${s}`), "median"];
  return `<h2>Seed by seed</h2><p class="sub">Against the smoothed truth, mean / largest; networks that are given in number take the seeds in turn.</p><div class="scroll"><table><thead><tr><th>method</th>${head.map((h) => `<th>${h}</th>`).join("")}</tr></thead><tbody>${rows.join("\n")}</tbody></table></div>`;
}

function table(results: readonly MethodResult[]): string {
  const cells = (values: Float64Array) => {
    const { mean, median, max } = summary(values);
    return [mean, median, max].map((v) => `<td>${v.toFixed(3)}</td>`).join("");
  };
  const rows = results.map(
    ({ name, clean, smoothed, cost, seconds }) =>
      `<tr><td>${escapeXml(name)}</td>${cells(clean)}${cells(smoothed)}<td class="cost">${escapeXml(cost)}</td><td>${seconds.toFixed(1)}</td></tr>`,
  );
  const head = ["clean: mean", "median", "largest", "smoothed: mean", "median", "largest", "per sample", "seconds"];
  return `<div class="scroll"><table><thead><tr><th>method</th>${head.map((h) => `<th>${h}</th>`).join("")}</tr></thead><tbody>${rows.join("\n")}</tbody></table></div>`;
}
