import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { Log } from "../../src/cli/train/log.js";
import { trainingReportHtml } from "../../src/cli/train/report.js";
import { curveSvg } from "../../src/evaluate/curve-svg.js";

const root = mkdtempSync(join(tmpdir(), "ncvsd-log-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));

describe("the report of a training", () => {
  it("escapes what files put into it, and runs nothing", () => {
    const evil = `<script>alert("x")</script>&'`;
    const html = trainingReportHtml({
      title: evil,
      version: evil,
      date: "2026-01-02T03:04:05Z",
      facts: [[evil, evil]],
      entries: [
        { what: "status", images: 1000, loss: 1, lr: 0.1, imagesPerSecond: 10 },
        { what: "status", images: 2000, loss: -0.5, lr: 0.2, imagesPerSecond: 10 },
        { what: "snapshot", images: 2000, fd: 12 },
      ],
      duration: 4000,
      samples: [{ images: 2000, png: new Uint8Array([1, 2, 3]) }],
    });
    expect(html).not.toContain("<script");
    expect(html.match(/&lt;script&gt;alert\(&quot;x&quot;\)&lt;\/script&gt;&amp;&#39;/g)!.length).toBeGreaterThan(3);
    expect(html).toContain(`http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:`);
    expect(html).toContain('name="generator" content="ncvsd-gpu"');
    expect(html).toContain("2,000 of 4,000 images, 3 min 20 s left at this speed.");
    expect(html).toContain("data:image/png;base64,AQID");
    expect(html.match(/<svg/g)).toHaveLength(4);
  });
});

describe("a curve", () => {
  const points = (svg: string) =>
    [.../<path d="([^"]*)"/.exec(svg)![1]!.matchAll(/[ML]([\d.]+) ([\d.]+)/g)].map((m) => [Number(m[1]), Number(m[2])]);

  it("is drawn from the least value to the largest, negative ones too, between round ticks", () => {
    const svg = curveSvg({ title: "t", xLabel: "x", points: [-1, 3].map((y, x) => ({ x, y })) });
    // Left and right, bottom and top of the frame.
    expect(points(svg)).toEqual([
      [60, 218],
      [504, 14],
    ]);
    const labels = [...svg.matchAll(/text-anchor="end">([^<]*)</g)].map((m) => Number(m[1]));
    expect(labels).toEqual([-1, 0, 1, 2, 3]);
  });

  it("is empty without numbers, has a point where there is one, and means of many", () => {
    expect(curveSvg({ title: "t", xLabel: "x", points: [{ x: 1, y: Number.NaN }] })).toBe("");
    expect(curveSvg({ title: "t", xLabel: "x", points: [{ x: 1, y: 0 }] })).toContain("<circle");
    const many = Array.from({ length: 1200 }, (_, x) => ({ x, y: x % 2 }));
    const thin = points(curveSvg({ title: "t", xLabel: "x", points: many }));
    expect(thin).toHaveLength(600);
    expect(new Set(thin.map(([, y]) => y)).size).toBe(1);
  });
});

describe("the log of a training", () => {
  it("goes on from a state, without what came after it and what was not finished", () => {
    const path = join(root, "log.jsonl");
    const first = Log.open(path, -1);
    first.add({ what: "start", images: 0 });
    for (const images of [100, 200, 300]) first.add({ what: "status", images, loss: images });
    writeFileSync(path, `${readFileSync(path, "utf8")}{"tool":"ncvsd-gpu","what":"sta`);
    const second = Log.open(path, 200);
    expect(second.entries.map(({ images }) => images)).toEqual([0, 100, 200]);
    second.add({ what: "stop", images: 200 });
    const lines = readFileSync(path, "utf8").trimEnd().split("\n");
    expect(lines.map((line) => JSON.parse(line).images)).toEqual([0, 100, 200, 200]);
    expect(lines[0]).toBe('{"tool":"ncvsd-gpu","what":"start","images":0}');
    expect(Log.open(path, -1).entries).toEqual([]);
  });
});
