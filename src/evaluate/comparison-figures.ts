import { max, min, quantileSorted, range } from "d3-array";
import { contours } from "d3-contour";
import { COLOURS, framed } from "./density-plot.js";
import { escapeXml } from "./svg.js";

/** Box plots on a logarithmic axis: quartiles, whiskers to 1.5 of their distance, the points beyond, the mean. */
export function boxFigure(
  title: string,
  yLabel: string,
  boxes: readonly { readonly name: string; readonly values: ArrayLike<number> }[],
): string {
  const all = boxes.flatMap(({ values }) => Array.from(values)).filter((v) => v > 0);
  const log = (v: number) => Math.log10(Math.max(v, 1e-12));
  const [low, high] = [log(min(all) ?? 0.01) - 0.08, log(max(all) ?? 1) + 0.08];
  const yTicks = range(-12, 4)
    .flatMap((power) => [1, 2, 5].map((m) => m * 10 ** power))
    .filter((v) => log(v) >= low - 1e-9 && log(v) <= high + 1e-9)
    .map((v) => ({ at: log(v), text: `${Number(v.toPrecision(2))}` }));
  const xTicks = boxes.map(({ name }, i) => ({ at: i + 1, text: name }));
  // As wide as the figures beside it, so that letters are of one size.
  const width = Math.max(560, 110 * boxes.length + 90);
  const frame = {
    width,
    height: 340,
    title,
    xLabel: "",
    yLabel,
    x: [0.4, boxes.length + 0.6],
    y: [low, high],
  } as const;
  return framed({ ...frame, xTicks, yTicks }, (x, y) =>
    boxes
      .map(({ name, values }, i) => {
        const sorted = Array.from(values).sort((a, b) => a - b);
        const [q1, median, q3] = [0.25, 0.5, 0.75].map((q) => quantileSorted(sorted, q)!) as [number, number, number];
        const inside = sorted.filter((v) => v >= q1 - 1.5 * (q3 - q1) && v <= q3 + 1.5 * (q3 - q1));
        const beyond = sorted.filter((v) => v < inside[0]! || v > inside.at(-1)!);
        const mean = sorted.reduce((a, b) => a + b, 0) / sorted.length;
        const at = (v: number) => y(log(v)).toFixed(1);
        const [left, middle, right] = [x(i + 0.75), x(i + 1), x(i + 1.25)].map((v) => v.toFixed(1));
        const colour = COLOURS[i % COLOURS.length]!;
        const whisker = (from: number, to: number) =>
          `<line x1="${middle}" x2="${middle}" y1="${at(from)}" y2="${at(to)}" stroke="${colour}"/>`;
        return [
          `<g><title>${escapeXml(`${name}: mean ${mean.toFixed(3)}, median ${median.toFixed(3)}, largest ${sorted.at(-1)!.toFixed(3)}`)}</title>`,
          whisker(inside[0]!, q1),
          whisker(q3, inside.at(-1)!),
          `<rect x="${left}" y="${at(q3)}" width="${Number(right) - Number(left)}" height="${(y(log(q1)) - y(log(q3))).toFixed(1)}" fill="${colour}" fill-opacity="0.25" stroke="${colour}"/>`,
          `<line x1="${left}" x2="${right}" y1="${at(median)}" y2="${at(median)}" stroke="${colour}" stroke-width="2"/>`,
          `<path d="M${middle} ${Number(at(mean)) - 4}l4 4l-4 4l-4 -4z" fill="${colour}"/>`,
          ...beyond.map((v) => `<circle cx="${middle}" cy="${at(v)}" r="2" fill="none" stroke="${colour}"/>`),
          "</g>",
        ].join("");
      })
      .join("\n"),
  );
}

/** Values over a square grid of a plane, row after row from the lowest. */
export interface Field {
  readonly title: string;
  readonly values: ArrayLike<number>;
}

/** Filled contours of a field over [low, high]^2; `top` is the value of the darkest, the same for figures to be compared. */
export function fieldFigure(
  { title, values }: Field,
  size: number,
  [low, high]: readonly [number, number],
  top: number,
): string {
  const levels = range(0, 14).map((k) => (top * k) / 14);
  const frame = {
    width: 400,
    height: 400,
    title,
    xLabel: "column 0",
    yLabel: "column 1",
    x: [low, high],
    y: [low, high],
  } as const;
  return framed(frame, (x, y) => {
    const step = (high - low) / (size - 1);
    const bands = contours().size([size, size]).thresholds(levels)(Array.from(values));
    // Cells of contours are centred at half indices.
    const place = (ring: readonly number[][]) =>
      `M${ring.map(([a, b]) => `${x(low + (a! - 0.5) * step).toFixed(1)} ${y(low + (b! - 0.5) * step).toFixed(1)}`).join("L")}Z`;
    const path = (band: (typeof bands)[number]) => band.coordinates.flat().map(place).join("");
    const clip = `M${x(low)} ${y(low)}H${x(high)}V${y(high)}H${x(low)}Z`;
    const fill = (k: number) => `hsl(${205 + 3 * k}, ${45 + 2 * k}%, ${97 - 5.5 * k}%)`;
    return `<clipPath id="plane"><path d="${clip}"/></clipPath><g clip-path="url(#plane)">${bands.map((band, k) => `<path d="${path(band)}" fill="${fill(k)}" fill-rule="evenodd"/>`).join("")}</g>`;
  });
}
