import { escapeXml } from "../evaluate/svg.js";
import type { Judgement, LevelCoverage } from "./judged.js";

const WIDTH = 340;
const HEIGHT = 240;
const MARGIN = { left: 54, right: 12, top: 12, bottom: 42 };
const INNER = { width: WIDTH - MARGIN.left - MARGIN.right, height: HEIGHT - MARGIN.top - MARGIN.bottom };
const BASE = MARGIN.top + INNER.height;
const CENTRAL = "#0072b2";
/** Small letters need more contrast by night than a line does. */
const CENTRAL_TEXT = "light-dark(#0072b2, #56b4e9)";
const HPD = "#d55e00";

const f = (v: number) => v.toFixed(1);
const px = (share: number) => MARGIN.left + share * INNER.width;
const py = (share: number) => MARGIN.top + (1 - share) * INNER.height;

/** Ranks of the truths among a sampler's runs: level for a right one; the band is where a bin lies in 95 of 100 tries. */
export function histogramSvg(title: string, { histogram, all }: Judgement, cases: number): string {
  const { counts, bins } = histogram;
  const total = counts.reduce((a, b) => a + b, 0);
  const shares = counts.map((c) => (c / total) * bins);
  // Coordinates of one case go together: the scatter is that of cases, at worst.
  const reach = 1.96 * Math.sqrt((bins - 1) / cases);
  const top = Math.max(2, 1.1 * Math.max(...shares, 1 + reach));
  const [low, high] = [Math.max(0, 1 - reach) / top, Math.min(top, 1 + reach) / top];
  const bars = shares.map((share, b) => {
    const tip = `<title>${escapeXml(`ranks ${b + 1} of ${bins}: ${counts[b]} of ${total}`)}</title>`;
    const at = {
      x: f(px(b / bins) + 1),
      y: f(py(share / top)),
      w: f(INNER.width / bins - 2),
      h: f((share / top) * INNER.height),
    };
    return `<rect x="${at.x}" y="${at.y}" width="${at.w}" height="${at.h}" fill="${CENTRAL}">${tip}</rect>`;
  });
  return frame(title, "rank of the truth among the runs", "share, 1 is right", [
    ...scale([0, 1, ...(top > 2.5 ? [Math.floor(top)] : [2])], (v) => py(v / top)),
    ...bars,
    `<rect x="${MARGIN.left}" y="${f(py(high))}" width="${INNER.width}" height="${f((high - low) * INNER.height)}" class="band"/>`,
    line(0, 1 / top, 1, 1 / top, 'class="axis" stroke-dasharray="4 3"'),
    ...["lowest", "highest"].map(
      (word, i) => `<text x="${px(i)}" y="${BASE + 16}" text-anchor="${i === 0 ? "start" : "end"}">${word}</text>`,
    ),
    `<desc>${all.coordinates} coordinates</desc>`,
  ]);
}

/** Share of truths inside an interval or a region, by its level; the band is that of a right sampler at so many cases. */
export function coverageSvg(title: string, { curves }: Judgement): string {
  const ticks = [0, 0.25, 0.5, 0.75, 1];
  return frame(title, "what a right sampler covers", "share of truths inside", [
    ...scale(ticks, py),
    ...ticks.map((v) => `<text x="${f(px(v))}" y="${BASE + 16}" text-anchor="middle">${v}</text>`),
    band(curves.hpd),
    line(0, 0, 1, 1, 'class="axis" stroke-dasharray="4 3"'),
    curve(curves.central, CENTRAL, "central"),
    curve(curves.hpd, HPD, "HPD"),
    `<text x="${px(0.04)}" y="${MARGIN.top + 14}" style="fill:${CENTRAL_TEXT}">central</text>`,
    `<text x="${px(0.04)}" y="${MARGIN.top + 30}" style="fill:${HPD}">highest density</text>`,
  ]);
}

/** Around the diagonal: where 95 of 100 right samplers lie. */
function band(levels: readonly LevelCoverage[]): string {
  const inside = (v: number) => Math.min(1, Math.max(0, v));
  const path = (at: 0 | 1) => levels.map(({ expected, band: b }) => `${f(px(expected))},${f(py(inside(b[at])))}`);
  return `<polygon class="band" points="${[...path(0), ...path(1).reverse()].join(" ")}"/>`;
}

function curve(levels: readonly LevelCoverage[], colour: string, name: string): string {
  const points = levels.map(({ expected, observed }) => ({ x: f(px(expected)), y: f(py(observed)) }));
  const path = points.map(({ x, y }, i) => `${i === 0 ? "M" : "L"}${x} ${y}`).join("");
  const marks = points.map(({ x, y }, i) => {
    const { level, observed, expected } = levels[i]!;
    const tip = `${name} at level ${level}: ${observed.toFixed(3)}, right ${expected.toFixed(3)}`;
    return `<circle cx="${x}" cy="${y}" r="3" fill="${colour}"><title>${escapeXml(tip)}</title></circle>`;
  });
  return `<path d="${path}" fill="none" stroke="${colour}" stroke-width="1.5"/>${marks.join("")}`;
}

function scale(values: readonly number[], at: (v: number) => number): string[] {
  return values.map(
    (v) =>
      `<line x1="${MARGIN.left}" x2="${WIDTH - MARGIN.right}" y1="${f(at(v))}" y2="${f(at(v))}" class="grid"/>` +
      `<text x="${MARGIN.left - 6}" y="${f(at(v) + 4)}" text-anchor="end">${v}</text>`,
  );
}

const line = (x1: number, y1: number, x2: number, y2: number, how: string) =>
  `<line x1="${f(px(x1))}" y1="${f(py(y1))}" x2="${f(px(x2))}" y2="${f(py(y2))}" ${how}/>`;

function frame(title: string, xLabel: string, yLabel: string, parts: readonly string[]): string {
  const middle = MARGIN.top + INNER.height / 2;
  return [
    `<figure><figcaption>${escapeXml(title)}</figcaption>`,
    `<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${escapeXml(title)}">`,
    ...parts,
    `<line x1="${MARGIN.left}" x2="${WIDTH - MARGIN.right}" y1="${BASE}" y2="${BASE}" class="axis"/>`,
    `<text x="${MARGIN.left + INNER.width / 2}" y="${HEIGHT - 8}" text-anchor="middle">${escapeXml(xLabel)}</text>`,
    `<text x="12" y="${middle}" text-anchor="middle" transform="rotate(-90 12 ${middle})">${escapeXml(yLabel)}</text>`,
    "</svg></figure>",
  ].join("\n");
}
