import { describe, expect, it } from "vitest";
import { bendsOf, fitPowerLaw, type ScalingPoint, scalingSvg } from "../../bench/scaling-fit.js";
import { type Plot, plotSvg, ticks } from "../../bench/svg.js";

interface Box {
  readonly text: string;
  readonly x0: number;
  readonly x1: number;
  readonly y0: number;
  readonly y1: number;
}

const numberOf = (tag: string, name: string) => Number(new RegExp(` ${name}="([^"]*)"`).exec(tag)![1]);
const circles = (svg: string) => [...svg.matchAll(/<circle [^>]*>/g)].map(([tag]) => tag);

/** Where the labels of points lie, by the width of an average font. */
function labels(svg: string): Box[] {
  return [...svg.matchAll(/(<text [^>]*class="label"[^>]*>)([^<]*)</g)].map(([, tag, text]) => {
    const [x, y] = [numberOf(tag!, "x"), numberOf(tag!, "y")];
    return { text: text!, x0: x, x1: x + 6.2 * text!.length, y0: y - 9, y1: y + 2 };
  });
}

/** Every element opened is closed, in order; every attribute is quoted; no ampersand or angle bracket is left bare. */
function expectWellFormed(svg: string) {
  const open: string[] = [];
  const rest = svg.replaceAll(
    /<(\/?)([a-zA-Z]+)((?: [a-zA-Z:-]+="[^"<]*")*)(\/?)>/g,
    (_, close, name, _attributes, empty) => {
      if (close) expect(open.pop()).toBe(name);
      else if (!empty) open.push(name);
      return "";
    },
  );
  expect(open).toEqual([]);
  expect(rest).not.toMatch(/[<>]|&(?!amp;|lt;|gt;|quot;)/);
}

const plot = (own: Partial<Plot> = {}): Plot => ({
  title: "rates & <roofs>",
  caption: ['adapter "A", 2026-01-02'],
  x: { label: "FLOP/byte", min: 0.1, max: 1000 },
  y: { label: "GFLOP/s", min: 1, max: 100 },
  series: [{ name: "f32", color: "#0969da" }],
  lines: [],
  points: [],
  ...own,
});

describe("the plot", () => {
  it("is well-formed, brings its own background and says what it was told", () => {
    const svg = plotSvg(plot({ points: [{ x: 1, y: 10, series: "f32", label: "a<b & c" }] }));
    expectWellFormed(svg);
    expect(svg).toMatch(/<rect width="\d+" height="\d+" rx="6" fill="#ffffff"\/>/);
    for (const text of [
      "rates &amp; &lt;roofs&gt;",
      "adapter &quot;A&quot;, 2026-01-02",
      "a&lt;b &amp; c",
      "FLOP/byte",
      "GFLOP/s",
    ])
      expect(svg).toContain(`>${text}</text>`);
  });

  it("places points by their logarithms", () => {
    const points = [0.1, 10, 1000].map((x, i) => ({ x, y: 10 ** i, series: "f32" }));
    const tags = circles(plotSvg(plot({ points })));
    const [xs, ys] = [tags.map((tag) => numberOf(tag, "cx")), tags.map((tag) => numberOf(tag, "cy"))];
    expect(xs[1]! - xs[0]!).toBeCloseTo(xs[2]! - xs[1]!, 0);
    expect(xs[2]! - xs[0]!).toBeGreaterThan(700);
    // Upwards is less.
    expect(ys[0]! - ys[1]!).toBeCloseTo(ys[1]! - ys[2]!, 0);
    expect(ys[0]! - ys[2]!).toBeGreaterThan(400);
  });

  it("labels of a crowd keep clear of each other, of the points, of the lines and of the frame", () => {
    const points = Array.from({ length: 14 }, (_, i) => ({
      x: 30 * 1.12 ** (i % 5),
      y: 30 * 1.15 ** Math.floor(i / 5),
      series: "f32",
      label: `a layer of some kind ${i}`,
    }));
    points.push({ x: 990, y: 99, series: "f32", label: "in the corner" });
    const roof = [[0.1, 1.5] as const, [1000, 60] as const];
    const svg = plotSvg(plot({ points, lines: [{ points: roof, label: "roof" }] }));
    const boxes = labels(svg);
    expect(boxes.map((box) => box.text).sort()).toEqual(points.map((point) => point.label).sort());
    const tags = circles(svg);
    for (const box of boxes) {
      expect(box.x0).toBeGreaterThan(64);
      expect(box.x1).toBeLessThan(836);
      for (const other of boxes) {
        if (other === box) continue;
        const apart = box.x1 < other.x0 || other.x1 < box.x0 || box.y1 < other.y0 || other.y1 < box.y0;
        expect(apart, `${box.text} over ${other.text}`).toBe(true);
      }
      for (const tag of tags) {
        const [x, y] = [numberOf(tag, "cx"), numberOf(tag, "cy")];
        const dx = Math.max(box.x0 - x, 0, x - box.x1);
        const dy = Math.max(box.y0 - y, 0, y - box.y1);
        expect(Math.hypot(dx, dy), `${box.text} over a point`).toBeGreaterThan(4);
      }
      const [x0, y0, x1, y1] = /class="line"[^>]*d="M([\d.]+) ([\d.]+)L([\d.]+) ([\d.]+)"/
        .exec(svg)!
        .slice(1)
        .map(Number) as [number, number, number, number];
      const at = (x: number) => y0 + ((x - x0) / (x1 - x0)) * (y1 - y0);
      const above = box.y1 < Math.min(at(box.x0), at(box.x1));
      const below = box.y0 > Math.max(at(box.x0), at(box.x1));
      expect(above || below, `${box.text} on the line`).toBe(true);
    }
  });

  it("long captions are broken into lines, without losing a word", () => {
    const words = Array.from({ length: 60 }, (_, i) => `word${i}`);
    const svg = plotSvg(plot({ caption: [words.join(" ")] }));
    const lines = [...svg.matchAll(/class="caption">([^<]*)</g)].map(([, line]) => line!);
    expect(lines.length).toBeGreaterThan(1);
    expect(lines.join(" ").split(" ")).toEqual(words);
    for (const line of lines) expect(line.length).toBeLessThan(130);
    expect(numberOf(svg, "height")).toBeGreaterThan(numberOf(plotSvg(plot()), "height"));
  });

  it("refuses what has no place on a logarithmic axis, and a series that is none", () => {
    for (const y of [0, -1, Number.NaN, Number.POSITIVE_INFINITY])
      expect(() => plotSvg(plot({ points: [{ x: 1, y, series: "f32" }] }))).toThrow(/has no place on logarithmic axes/);
    expect(() => plotSvg(plot({ points: [{ x: 1, y: 1, series: "f8" }] }))).toThrow("there is no series f8");
  });

  it("ticks are 1, 2 and 5 of each decade, exact", () => {
    expect(ticks({ label: "", min: 0.05, max: 3 })).toEqual([0.05, 0.1, 0.2, 0.5, 1, 2]);
  });
});

describe("cost against work", () => {
  const point = (flops: number, ms: number, own: Partial<ScalingPoint> = {}): ScalingPoint => ({
    resolution: 16,
    channels: 32,
    batch: 1,
    nodes: 100,
    flops,
    ms,
    floors: { dispatch: 0.01 * ms, copy: 0.1 * ms, arithmetic: 0.3 * ms },
    ...own,
  });

  it("finds a power law and how far the points are from it", () => {
    const law = fitPowerLaw([1e8, 1e9, 5e9, 1e10].map((flops) => point(flops, 20 * (flops / 1e9) ** 0.9)))!;
    expect(law.slope).toBeCloseTo(0.9, 9);
    expect(law.scale).toBeCloseTo(20, 9);
    expect(law.worst).toBeCloseTo(1, 9);
    const off = fitPowerLaw([point(1e8, 1), point(1e9, 20), point(1e10, 100)])!;
    expect(off.slope).toBeCloseTo(1, 9);
    expect(off.worst).toBeCloseTo((20 / 10) ** (2 / 3), 6);
    expect(fitPowerLaw([point(1e9, 1), point(1e9, 2)])).toBeNull();
  });

  it("names the points off the line, the worst first, with the cause that their floors tell", () => {
    const law = { slope: 1, scale: 10, worst: 3 };
    const slow = point(1e8, 3, { floors: { dispatch: 2, copy: 0.1, arithmetic: 0.1 } });
    const copied = point(1e9, 18, { batch: 32, floors: { dispatch: 0.1, copy: 12, arithmetic: 2 } });
    const fast = point(1e10, 60, { channels: 128, floors: { dispatch: 1, copy: 6, arithmetic: 18 } });
    const bends = bendsOf([point(1e9, 12), copied, fast, slow], law);
    expect(bends.map((bend) => bend.point)).toEqual([slow, copied, fast]);
    expect(bends.map((bend) => bend.why)).toEqual([
      "starting 100 nodes is 67% of the time",
      "moving bytes is 67% of the time at the copy peak",
      "its kernels' operations run at 30% of the peak, the median network's at 30%",
    ]);
    const svg = scalingSvg({
      version: "0.0.0",
      date: "2026-01-02T03:04Z",
      adapter: "adapter A",
      precision: "f32",
      peaks: { gflopsPerSecond: 100, gbPerSecond: 10 },
      dispatchUs: 17,
      points: JSON.parse(JSON.stringify([slow, copied, fast])),
      law,
      lawAbove: law,
      bends: JSON.parse(JSON.stringify(bends)),
    });
    expectWellFormed(svg);
    expect(circles(svg)).toHaveLength(3 + 2);
    expect(
      labels(svg)
        .map((box) => box.text)
        .sort(),
    ).toEqual(["128 ch @16 b1", "32 ch @16 b1", "32 ch @16 b32"]);
    expect(svg).toContain("slope 1.00");
    expect(svg).toContain("2026-01-02");
  });
});
