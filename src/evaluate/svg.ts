/** One point of a chart; `low` and `high` draw an error bar. */
export interface ChartPoint {
  readonly x: number;
  readonly y: number;
  readonly low?: number | undefined;
  readonly high?: number | undefined;
}

export interface Chart {
  readonly title: string;
  readonly xLabel: string;
  readonly yLabel: string;
  readonly series: readonly { readonly name: string; readonly points: readonly ChartPoint[] }[];
}

const WIDTH = 520;
const HEIGHT = 320;
const MARGIN = { left: 52, right: 16, top: 16, bottom: 46 };
/** Told apart in grey and with colour-blind eyes (Okabe & Ito). */
const COLOURS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "currentColor"];

export const escapeXml = (text: string): string =>
  text.replace(/[&<>"']/g, (c) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" })[c]!);

/** A chart as inline SVG: x logarithmic, y from 0, a line through each series' points. */
export function chartSvg({ title, xLabel, yLabel, series }: Chart): string {
  const points = series.flatMap((s) => s.points);
  const xs = points.map((p) => Math.log(p.x));
  const [x0, x1] = [Math.min(...xs), Math.max(...xs)];
  const spread = x1 - x0 || 1;
  const [from, to] = [x0 - 0.06 * spread, x1 + 0.06 * spread];
  const top = niceTop(Math.max(...points.map((p) => p.high ?? p.y)));
  const inner = { width: WIDTH - MARGIN.left - MARGIN.right, height: HEIGHT - MARGIN.top - MARGIN.bottom };
  const px = (x: number) => MARGIN.left + ((Math.log(x) - from) / (to - from)) * inner.width;
  const py = (y: number) => MARGIN.top + (1 - y / top) * inner.height;
  const f = (v: number) => v.toFixed(1);
  const base = MARGIN.top + inner.height;

  const yTicks = Array.from({ length: 5 }, (_, i) => (top * i) / 4).map(
    (y) =>
      `<line x1="${MARGIN.left}" x2="${WIDTH - MARGIN.right}" y1="${f(py(y))}" y2="${f(py(y))}" class="grid"/>` +
      `<text x="${MARGIN.left - 8}" y="${f(py(y) + 4)}" text-anchor="end">${Number(y.toPrecision(3))}</text>`,
  );
  const xTicks = xTickValues(
    points.map((p) => p.x),
    px,
  ).map(
    (x) =>
      `<line x1="${f(px(x))}" x2="${f(px(x))}" y1="${base}" y2="${base + 5}" class="axis"/>` +
      `<text x="${f(px(x))}" y="${base + 18}" text-anchor="middle">${x}</text>`,
  );
  const drawn = series.map((s, i) => {
    const colour = COLOURS[i % COLOURS.length]!;
    const sorted = [...s.points].sort((a, b) => a.x - b.x);
    const path = sorted.map((p, k) => `${k === 0 ? "M" : "L"}${f(px(p.x))} ${f(py(p.y))}`).join("");
    const marks = sorted.map((p) => {
      const bar =
        p.low === undefined || p.high === undefined
          ? ""
          : `<line x1="${f(px(p.x))}" x2="${f(px(p.x))}" y1="${f(py(p.low))}" y2="${f(py(p.high))}" stroke="${colour}" stroke-width="2"/>`;
      const tip = `<title>${escapeXml(`${s.name}: ${Number(p.y.toPrecision(4))} at ${p.x}`)}</title>`;
      return `${bar}<circle cx="${f(px(p.x))}" cy="${f(py(p.y))}" r="4" fill="${colour}">${tip}</circle>`;
    });
    return `<path d="${path}" fill="none" stroke="${colour}" stroke-width="1.5"/>${marks.join("")}`;
  });
  const legend = series.map((s, i) => {
    const colour = COLOURS[i % COLOURS.length]!;
    return `<span><i style="background:${colour}"></i>${escapeXml(s.name)}</span>`;
  });
  return [
    `<figure><figcaption>${escapeXml(title)}</figcaption>`,
    `<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${escapeXml(title)}">`,
    ...yTicks,
    `<line x1="${MARGIN.left}" x2="${WIDTH - MARGIN.right}" y1="${base}" y2="${base}" class="axis"/>`,
    ...xTicks,
    `<text x="${MARGIN.left + inner.width / 2}" y="${HEIGHT - 6}" text-anchor="middle">${escapeXml(xLabel)}</text>`,
    `<text x="14" y="${MARGIN.top + inner.height / 2}" text-anchor="middle" transform="rotate(-90 14 ${MARGIN.top + inner.height / 2})">${escapeXml(yLabel)}</text>`,
    ...drawn,
    `</svg><div class="legend">${legend.join("")}</div></figure>`,
  ].join("\n");
}

/** The smallest of 1, 2, 2.5, 4, 5, 8 times a power of ten that is not below. */
function niceTop(value: number): number {
  if (!(value > 0)) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return power * ([1, 2, 2.5, 4, 5, 8, 10].find((m) => m * power >= value) ?? 10);
}

/** The points' own values, without those whose labels would touch. */
function xTickValues(xs: readonly number[], px: (x: number) => number): number[] {
  const kept: number[] = [];
  for (const x of [...new Set(xs)].sort((a, b) => b - a)) {
    const last = kept.at(-1);
    if (last === undefined || px(last) - px(x) > 44) kept.push(x);
  }
  return kept;
}
