import { escapeXml } from "./svg.js";

/** A quantity over time. */
export interface Curve {
  readonly title: string;
  readonly xLabel: string;
  readonly points: readonly { readonly x: number; readonly y: number }[];
  /** Mark every point: there are few. */
  readonly marks?: boolean;
}

const WIDTH = 520;
const HEIGHT = 260;
const MARGIN = { left: 60, right: 16, top: 14, bottom: 42 };
/** Points that can be told apart. */
const MOST_POINTS = 600;

/** A curve as inline SVG, both axes linear, from the least value to the largest; empty where there is nothing to draw. */
export function curveSvg({ title, xLabel, points: all, marks = false }: Curve): string {
  const points = thinned(all.filter(({ x, y }) => Number.isFinite(x) && Number.isFinite(y)));
  if (points.length === 0) return "";
  const xTicks = ticks(points.map(({ x }) => x));
  const yTicks = ticks(points.map(({ y }) => y));
  const [width, height] = [WIDTH - MARGIN.left - MARGIN.right, HEIGHT - MARGIN.top - MARGIN.bottom];
  const part = (v: number, its: readonly number[]) => (v - its[0]!) / (its.at(-1)! - its[0]!);
  const px = (x: number) => (MARGIN.left + part(x, xTicks) * width).toFixed(1);
  const py = (y: number) => (MARGIN.top + (1 - part(y, yTicks)) * height).toFixed(1);
  const base = MARGIN.top + height;
  const path = points.map(({ x, y }, i) => `${i === 0 ? "M" : "L"}${px(x)} ${py(y)}`).join("");
  const label = (v: number) => escapeXml(String(Number(v.toPrecision(4))));
  const tip = ({ x, y }: { x: number; y: number }) => `<title>${label(y)} at ${label(x)}</title>`;
  const circles = points.map((p) => `<circle cx="${px(p.x)}" cy="${py(p.y)}" r="3" fill="#0072b2">${tip(p)}</circle>`);
  return [
    `<figure><figcaption>${escapeXml(title)}</figcaption>`,
    `<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${escapeXml(title)}">`,
    ...yTicks.map(
      (y) =>
        `<line x1="${MARGIN.left}" x2="${WIDTH - MARGIN.right}" y1="${py(y)}" y2="${py(y)}" class="grid"/>` +
        `<text x="${MARGIN.left - 8}" y="${py(y)}" dy="4" text-anchor="end">${label(y)}</text>`,
    ),
    `<line x1="${MARGIN.left}" x2="${WIDTH - MARGIN.right}" y1="${base}" y2="${base}" class="axis"/>`,
    ...xTicks.map((x) => `<text x="${px(x)}" y="${base + 18}" text-anchor="middle">${label(x)}</text>`),
    `<text x="${MARGIN.left + width / 2}" y="${HEIGHT - 6}" text-anchor="middle">${escapeXml(xLabel)}</text>`,
    `<path d="${path}" fill="none" stroke="#0072b2" stroke-width="1.5"/>`,
    ...(marks || points.length === 1 ? circles : []),
    "</svg></figure>",
  ].join("\n");
}

/** Of many points the means of neighbours: every one counts. */
function thinned(points: Curve["points"]): Curve["points"] {
  const group = Math.ceil(points.length / MOST_POINTS);
  if (group === 1) return points;
  return Array.from({ length: Math.ceil(points.length / group) }, (_, g) => {
    const its = points.slice(g * group, (g + 1) * group);
    const mean = (of: "x" | "y") => its.reduce((sum, point) => sum + point[of], 0) / its.length;
    return { x: mean("x"), y: mean("y") };
  });
}

/** Round numbers, evenly spaced, the first not above the least value and the last not below the largest. */
function ticks(values: readonly number[]): number[] {
  const [least, largest] = [Math.min(...values), Math.max(...values)];
  const spread = largest - least || Math.abs(largest) || 1;
  const power = 10 ** Math.floor(Math.log10(spread / 4));
  const step = power * [1, 2, 2.5, 5, 10].find((m) => m * power >= spread / 4)!;
  const first = Math.floor(least / step + 1e-9);
  const last = Math.max(first + 1, Math.ceil(largest / step - 1e-9));
  return Array.from({ length: last - first + 1 }, (_, i) => (first + i) * step);
}
