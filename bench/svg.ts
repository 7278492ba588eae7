/** A log-log plot as SVG: points with labels that keep clear of each other, straight lines, a caption. Nothing else. */

export interface Axis {
  readonly label: string;
  readonly min: number;
  readonly max: number;
}

export interface PlotPoint {
  readonly x: number;
  readonly y: number;
  readonly series: string;
  /** Absent: the point has no label. */
  readonly label?: string;
}

/** From point to point; straight on a log-log plot where it is a power law. */
export interface PlotLine {
  readonly points: readonly (readonly [x: number, y: number])[];
  readonly label?: string;
  /** Side of the line's right end where its label goes; default above. */
  readonly below?: boolean;
  readonly dashed?: boolean;
}

export interface Series {
  readonly name: string;
  readonly color: string;
  readonly hollow?: boolean;
}

export interface Plot {
  readonly title: string;
  /** Lines of small print below. */
  readonly caption: readonly string[];
  readonly x: Axis;
  readonly y: Axis;
  readonly series: readonly Series[];
  readonly lines: readonly PlotLine[];
  readonly points: readonly PlotPoint[];
}

interface Box {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

const WIDTH = 860;
const FRAME = { left: 64, top: 52, right: 24 };
const PLOT_HEIGHT = 420;
const FONT = 12;
const RADIUS = 4.5;
// Helvetica's and DejaVu's averages, on the safe side: labels must not run into each other with any common font.
const textWidth = (text: string, size = FONT) => 0.58 * size * [...text].length;

const escaped = (text: string) =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");
const at = (value: number) => value.toFixed(1).replace(/\.0$/, "");

function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(" ")) {
    const longer = lines.length > 0 ? `${lines.at(-1)} ${word}` : word;
    if (lines.length > 0 && textWidth(longer) <= width) lines[lines.length - 1] = longer;
    else lines.push(word);
  }
  return lines;
}

/** 1, 2 and 5 of each decade within the axis. */
export function ticks({ min, max }: Axis): number[] {
  const found: number[] = [];
  for (let decade = Math.floor(Math.log10(min)); decade <= Math.log10(max); decade++) {
    for (const digit of [1, 2, 5]) {
      const value = Number(`${digit}e${decade}`);
      if (value >= min * (1 - 1e-9) && value <= max * (1 + 1e-9)) found.push(value);
    }
  }
  return found;
}

function position(axis: Axis, from: number, to: number): (value: number) => number {
  const [low, high] = [Math.log(axis.min), Math.log(axis.max)];
  return (value) => from + ((Math.log(value) - low) / (high - low)) * (to - from);
}

/**
 * @throws Error for a value that has no place on a logarithmic axis: a plot without it would lie
 */
export function plotSvg(plot: Plot): string {
  // Smaller print than what textWidth reckons with.
  const caption = plot.caption.flatMap((line) => wrap(line, 1.08 * (WIDTH - FRAME.left - FRAME.right)));
  const height = FRAME.top + PLOT_HEIGHT + 62 + 17 * caption.length;
  const [right, bottom] = [WIDTH - FRAME.right, FRAME.top + PLOT_HEIGHT];
  const x = position(plot.x, FRAME.left, right);
  const y = position(plot.y, bottom, FRAME.top);
  for (const [px, py] of [...plot.points.map((p) => [p.x, p.y]), ...plot.lines.flatMap((line) => line.points)]) {
    if (px! > 0 && py! > 0 && Number.isFinite(px) && Number.isFinite(py)) continue;
    throw new Error(`${plot.title}: (${px}, ${py}) has no place on logarithmic axes`);
  }
  const out: string[] = [];
  const text = (px: number, py: number, content: string, more = "") =>
    out.push(`<text x="${at(px)}" y="${at(py)}"${more}>${escaped(content)}</text>`);
  const frame = `x="${FRAME.left}" y="${FRAME.top}" width="${right - FRAME.left}" height="${PLOT_HEIGHT}"`;

  for (const value of ticks(plot.x)) {
    out.push(`<path class="grid" d="M${at(x(value))} ${FRAME.top}V${bottom}"/>`);
    text(x(value), bottom + 18, String(value), ' text-anchor="middle"');
  }
  for (const value of ticks(plot.y)) {
    out.push(`<path class="grid" d="M${FRAME.left} ${at(y(value))}H${right}"/>`);
    text(FRAME.left - 8, y(value) + 4, String(value), ' text-anchor="end"');
  }
  out.push(`<rect class="frame" ${frame}/>`);
  text((FRAME.left + right) / 2, bottom + 40, plot.x.label, ' text-anchor="middle"');
  const middle = `${at(18)} ${at((FRAME.top + bottom) / 2)}`;
  out.push(`<text transform="translate(${middle}) rotate(-90)" text-anchor="middle">${escaped(plot.y.label)}</text>`);
  text(FRAME.left, 24, plot.title, ' class="title"');
  let legend = right;
  for (const series of plot.series.length > 1 ? [...plot.series].reverse() : []) {
    legend -= textWidth(series.name) + 24;
    out.push(mark(legend + 6, 38, series));
    text(legend + 15, 42, series.name);
  }

  const taken: Box[] = plot.points.map((p) => around(x(p.x), y(p.y)));
  for (const { points, label, below, dashed } of plot.lines) {
    const path = points.map(([px, py], i) => `${i ? "L" : "M"}${at(x(px))} ${at(y(py))}`).join("");
    out.push(`<path class="line" clip-path="url(#frame)" d="${path}"${dashed ? ' stroke-dasharray="5 4"' : ""}/>`);
    for (let i = 1; i < points.length; i++) taken.push(...along(points[i - 1]!, points[i]!, x, y));
    if (label === undefined) continue;
    const box = beside(label, points, below ?? false, right - 4, x, y, taken.slice(0, plot.points.length));
    taken.push(box);
    text(box.x + box.width, box.y + FONT - 2, label, ' text-anchor="end" class="roof"');
  }
  const limits: Box = { x: FRAME.left, y: FRAME.top, width: right - FRAME.left, height: PLOT_HEIGHT };
  const colors = new Map(plot.series.map((series) => [series.name, series]));
  for (const point of plot.points) {
    const series = colors.get(point.series);
    if (!series) throw new Error(`${plot.title}: there is no series ${point.series}`);
    out.push(mark(x(point.x), y(point.y), series));
  }
  const labels: Box[] = [];
  const others = (own: PlotPoint) => plot.points.filter((p) => p !== own).map((p) => around(x(p.x), y(p.y)));
  // The crowded ones first: they have the fewest places to choose from.
  const crowd = (p: PlotPoint) => plot.points.filter((q) => Math.hypot(x(p.x) - x(q.x), y(p.y) - y(q.y)) < 80).length;
  for (const point of plot.points.filter((p) => p.label !== undefined).sort((a, b) => crowd(b) - crowd(a))) {
    const [px, py] = [x(point.x), y(point.y)];
    const box = placeLabel(point.label!, px, py, taken, [...others(point), ...labels], limits);
    taken.push(box);
    labels.push(box);
    const [nx, ny] = nearest(box, px, py);
    if (Math.hypot(nx - px, ny - py) > 12) {
      out.push(`<path class="leader" d="M${at(px)} ${at(py)}L${at(nx)} ${at(ny)}"/>`);
    }
    text(box.x, box.y + FONT - 2, point.label!, ' class="label"');
  }
  caption.forEach((line, i) => {
    text(FRAME.left, bottom + 64 + 17 * i, line, ' class="caption"');
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" font-family="Helvetica, Arial, 'DejaVu Sans', sans-serif" font-size="${FONT}" fill="#24292f">`,
    `<title>${escaped(plot.title)}</title>`,
    // A page may be dark: the plot brings its own paper.
    `<style>.grid{stroke:#e4e8ec}.frame{fill:none;stroke:#8c959f}.line{fill:none;stroke:#57606a;stroke-width:1.5}.leader{stroke:#8c959f;stroke-width:.8}.title{font-size:15px;font-weight:600}.caption{fill:#57606a;font-size:11.5px}.roof{fill:#57606a;font-style:italic}</style>`,
    `<clipPath id="frame"><rect ${frame}/></clipPath>`,
    `<rect width="${WIDTH}" height="${height}" rx="6" fill="#ffffff"/>`,
    ...out,
    "</svg>",
    "",
  ].join("\n");
}

function mark(x: number, y: number, { color, hollow }: Series): string {
  return `<circle cx="${at(x)}" cy="${at(y)}" r="${RADIUS}" fill="${hollow ? "#ffffff" : color}" stroke="${color}" stroke-width="1.5"/>`;
}

const around = (x: number, y: number): Box => ({ x: x - 6, y: y - 6, width: 12, height: 12 });

const boxOf = (label: string, x: number, y: number): Box => ({
  x,
  y: y - FONT / 2 - 1,
  width: textWidth(label),
  height: FONT + 2,
});

/** Above or below a line's last piece, as far right as no point is in the way. */
function beside(
  label: string,
  points: PlotLine["points"],
  below: boolean,
  right: number,
  x: (value: number) => number,
  y: (value: number) => number,
  marks: readonly Box[],
): Box {
  const [a, b] = [points.at(-2)!, points.at(-1)!];
  const width = textWidth(label);
  const height = (px: number) => {
    const part = Math.max(0, (px - x(a[0])) / (x(b[0]) - x(a[0])));
    return y(a[1]) + part * (y(b[1]) - y(a[1]));
  };
  const ending = (end: number) => {
    const ends = [height(end - width), height(end)];
    return boxOf(label, end - width, below ? Math.max(...ends) + 14 : Math.min(...ends) - 7);
  };
  const last = Math.min(x(b[0]), right);
  for (let end = last; end - width > x(a[0]); end -= 10) {
    const box = ending(end);
    if (!marks.some((mark) => overlap(box, mark))) return box;
  }
  return ending(last);
}

/** Small boxes along a line, so that no label lies on it. */
function along(
  [x0, y0]: readonly [number, number],
  [x1, y1]: readonly [number, number],
  x: (value: number) => number,
  y: (value: number) => number,
): Box[] {
  const steps = Math.max(1, Math.ceil(Math.hypot(x(x1) - x(x0), y(y1) - y(y0)) / 6));
  return Array.from({ length: steps + 1 }, (_, i) => ({
    x: x(x0) + ((x(x1) - x(x0)) * i) / steps - 2,
    y: y(y0) + ((y(y1) - y(y0)) * i) / steps - 2,
    width: 4,
    height: 4,
  }));
}

const overlap = (a: Box, b: Box) =>
  a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height;

/** The point of a box's edge that is nearest. */
function nearest(box: Box, x: number, y: number): [number, number] {
  return [Math.min(Math.max(x, box.x), box.x + box.width), Math.min(Math.max(y, box.y), box.y + box.height)];
}

/** What a label's place costs: pixels away from its point, and as many again for what its leader or it itself covers. */
const COST = { crossed: 40, covered: 1000 };

/** The cheapest place around a point. `obstacles` are what leaders should not cross: points and labels. */
function placeLabel(
  label: string,
  x: number,
  y: number,
  taken: readonly Box[],
  obstacles: readonly Box[],
  limits: Box,
): Box {
  const width = textWidth(label);
  let [best, least]: [Box, number] = [boxOf(label, limits.x, limits.y + FONT), Number.POSITIVE_INFINITY];
  for (let distance = 10; distance < 160; distance += 7) {
    for (let turn = 0; turn < 24 && distance < least; turn++) {
      const angle = (turn % 2 ? -1 : 1) * Math.ceil(turn / 2) * (Math.PI / 12);
      const [dx, dy] = [Math.cos(angle), Math.sin(angle)];
      // The box's nearest edge lies at the distance: its centre moves with its size.
      const box = boxOf(label, x + dx * (distance + width / 2) - width / 2, y + dy * (distance + FONT / 2));
      if (box.x < limits.x + 2 || box.x + width > limits.x + limits.width - 2) continue;
      if (box.y < limits.y + 2 || box.y + box.height > limits.y + limits.height - 2) continue;
      const covered = taken.filter((other) => overlap(box, other)).length;
      const crossed = obstacles.filter((other) => crosses([x, y], nearest(box, x, y), other)).length;
      const cost = distance + COST.covered * covered + COST.crossed * crossed;
      if (cost < least) [best, least] = [box, cost];
    }
  }
  return best;
}

/** Whether the way from one point to another passes through a box. */
function crosses([x0, y0]: [number, number], [x1, y1]: [number, number], box: Box): boolean {
  const steps = Math.ceil(Math.hypot(x1 - x0, y1 - y0) / 3);
  return Array.from({ length: steps + 1 }, (_, i) => ({
    x: x0 + ((x1 - x0) * i) / Math.max(1, steps),
    y: y0 + ((y1 - y0) * i) / Math.max(1, steps),
    width: 1,
    height: 1,
  })).some((dot) => overlap(dot, box));
}
