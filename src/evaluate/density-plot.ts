import { bin, deviation, extent, max, min } from "d3-array";
import { contourDensity } from "d3-contour";
import { scaleLinear } from "d3-scale";
import { area, line } from "d3-shape";
import { escapeXml } from "./svg.js";

/** Told apart in grey and with colour-blind eyes (Okabe & Ito). */
export const COLOURS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "currentColor"];

/** Nothing of a figure comes from elsewhere: styles are in it, so that it looks the same in a page and as a file. */
const STYLE = [
  "svg{color:#333}text{font:12px system-ui,sans-serif;fill:currentColor}.paper{fill:#fff}.tick{stroke:#e4e4e4}.axis{stroke:#666}",
  ".title{font-weight:600;font-size:13px}",
  "@media (prefers-color-scheme:dark){svg{color:#ddd}.paper{fill:#16181c}.tick{stroke:#2c2f35}.axis{stroke:#a4a4a4}}",
].join("");

export interface Frame {
  readonly width: number;
  readonly height: number;
  readonly title: string;
  readonly xLabel: string;
  readonly yLabel: string;
  readonly x: readonly [number, number];
  readonly y: readonly [number, number];
  /** Names under the figure by colour. */
  readonly legend?: readonly { readonly name: string; readonly colour: string }[];
  /** Words for ticks in place of numbers, at these places. */
  readonly xTicks?: readonly { readonly at: number; readonly text: string }[];
  readonly yTicks?: readonly { readonly at: number; readonly text: string }[];
}

const MARGIN = { left: 56, right: 14, top: 30, bottom: 44 };

type Place = (value: number) => number;

/** A figure with axes; `draw` gives what stands inside. */
export function framed(frame: Frame, draw: (x: Place, y: Place) => string): string {
  const { width, height, title, legend = [] } = frame;
  const [right, base] = [width - MARGIN.right, height - MARGIN.bottom - (legend.length > 0 ? 22 : 0)];
  const x = scaleLinear(frame.x, [MARGIN.left, right]);
  const y = scaleLinear(frame.y, [base, MARGIN.top]);
  const f = (v: number) => v.toFixed(1);
  const xTicks = frame.xTicks ?? x.ticks(6).map((at) => ({ at, text: x.tickFormat(6)(at) }));
  const yTicks = frame.yTicks ?? y.ticks(5).map((at) => ({ at, text: y.tickFormat(5)(at) }));
  const ticks = [
    ...yTicks.map(
      ({ at, text }) =>
        `<line class="tick" x1="${MARGIN.left}" x2="${right}" y1="${f(y(at))}" y2="${f(y(at))}"/>` +
        `<text x="${MARGIN.left - 6}" y="${f(y(at))}" dy="4" text-anchor="end">${escapeXml(text)}</text>`,
    ),
    ...xTicks.map(
      ({ at, text }) => `<text x="${f(x(at))}" y="${base + 17}" text-anchor="middle">${escapeXml(text)}</text>`,
    ),
  ];
  let from = MARGIN.left;
  const names = legend.map(({ name, colour }) => {
    const mark = `<rect x="${from}" y="${height - 18}" width="11" height="11" fill="${colour}"/><text x="${from + 16}" y="${height - 8}">${escapeXml(name)}</text>`;
    // Room for the larger letters of a phone.
    from += 34 + 8.5 * name.length;
    return mark;
  });
  const middle = MARGIN.top + (base - MARGIN.top) / 2;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" role="img" aria-label="${escapeXml(title)}" data-made-by="ncvsd-gpu">`,
    `<style>${STYLE}</style><rect width="${width}" height="${height}" class="paper"/>`,
    `<text class="title" x="${MARGIN.left}" y="18">${escapeXml(title)}</text>`,
    ...ticks,
    draw(x, y),
    `<line class="axis" x1="${MARGIN.left}" x2="${right}" y1="${base}" y2="${base}"/>`,
    `<text x="${(MARGIN.left + right) / 2}" y="${base + 34}" text-anchor="middle">${escapeXml(frame.xLabel)}</text>`,
    `<text x="14" y="${middle}" text-anchor="middle" transform="rotate(-90 14 ${middle})">${escapeXml(frame.yLabel)}</text>`,
    ...names,
    "</svg>",
  ].join("\n");
}

/** Points of a curve. */
export type Curve = readonly (readonly [x: number, y: number])[];

/** A kernel density estimate over [low, high]: Gaussian kernels on a histogram of fine bins. */
export function kernelDensity(samples: ArrayLike<number>, [low, high]: readonly [number, number], points = 200): Curve {
  const sorted = Array.from(samples).sort((a, b) => a - b);
  // Silverman's rule by the densest quarter of the samples: several modes far apart would smear each other by any measure of all.
  const quarter = Math.max(1, Math.floor(sorted.length / 4));
  const spread = min(sorted.slice(quarter), (v, i) => v - sorted[i]!)! / 0.637;
  const silverman = 0.9 * Math.min(spread, deviation(sorted) || spread) * sorted.length ** -0.2;
  const width = Math.max(silverman, (high - low) / (2 * points));
  const bins = bin<number, number>()
    .domain([low, high])
    .thresholds(2 * points)(Array.from(sorted));
  return Array.from({ length: points }, (_, i) => {
    const at = low + ((high - low) * i) / (points - 1);
    const sum = bins.reduce((total, b) => {
      const apart = (at - (b.x0! + b.x1!) / 2) / width;
      return total + b.length * Math.exp((-apart * apart) / 2);
    }, 0);
    return [at, sum / (sorted.length * width * Math.sqrt(2 * Math.PI))] as const;
  });
}

/** A density; filled: an area (a truth) in place of a line. */
export interface DensityCurve {
  readonly name: string;
  readonly points: Curve;
  readonly colour: string;
  readonly filled?: boolean;
}

/** Densities of one coordinate. */
export function densityFigure(title: string, xLabel: string, curves: readonly DensityCurve[]): string {
  const all = curves.flatMap(({ points }) => points);
  const [low, high] = extent(all, ([x]) => x) as [number, number];
  const top = max(all, ([, y]) => y) ?? 1;
  const frame = {
    width: 560,
    height: 320,
    title,
    xLabel,
    yLabel: "density",
    x: [low, high],
    y: [0, 1.05 * top],
  } as const;
  return framed({ ...frame, ...(curves.length > 1 ? { legend: curves } : {}) }, (x, y) =>
    curves
      .map(({ points, colour, filled }) => {
        const shape = filled
          ? area<readonly [number, number]>(
              (p) => x(p[0]),
              y(0),
              (p) => y(p[1]),
            )
          : line<readonly [number, number]>(
              (p) => x(p[0]),
              (p) => y(p[1]),
            );
        const paint = filled ? `fill="${colour}"` : `fill="none" stroke="${colour}" stroke-width="1.8"`;
        return `<path d="${shape(points)}" ${paint}/>`;
      })
      .join("\n"),
  );
}

/** Samples of two coordinates: contours of their density over the points themselves (2,000 at most). */
export function planeFigure(title: string, [xLabel, yLabel]: readonly [string, string], points: Curve): string {
  const range = (at: 0 | 1): [number, number] => {
    const [low, high] = extent(points, (p) => p[at]) as [number, number];
    const pad = 0.05 * (high - low || 1);
    return [low - pad, high + pad];
  };
  const shown = points.slice(0, 2000);
  return framed({ width: 480, height: 440, title, xLabel, yLabel, x: range(0), y: range(1) }, (x, y) => {
    const density = contourDensity<readonly [number, number]>()
      .x((p) => x(p[0]))
      .y((p) => y(p[1]))
      .size([480, 440])
      .bandwidth(12)
      .thresholds(8);
    const ring = line();
    const contours = density(points as (readonly [number, number])[]).map(({ coordinates }, i) => {
      const d = coordinates
        .flatMap((polygon) => polygon.map((path) => `${ring(path as [number, number][])}Z`))
        .join("");
      return `<path d="${d}" fill="${COLOURS[0]}" fill-opacity="0.09" stroke="${COLOURS[0]}" stroke-opacity="${0.25 + 0.08 * i}"/>`;
    });
    const dots = shown.map(([a, b]) => `<circle cx="${x(a).toFixed(1)}" cy="${y(b).toFixed(1)}" r="1.1"/>`);
    return `<g fill="currentColor" fill-opacity="0.35">${dots.join("")}</g>${contours.join("")}`;
  });
}
