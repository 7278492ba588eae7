import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { type RunPictures, reportHtml, runNames } from "../../src/evaluate/report.js";
import type { FdResult } from "../../src/evaluate/result.js";
import { checkResult } from "../../src/evaluate/result.js";
import { chartSvg } from "../../src/evaluate/svg.js";
import { encodePng } from "../../src/image/png.js";
import { cli, cliOk, png, scratch, sentence } from "../support/cli.js";

const place = scratch();
mkdirSync(place("."), { recursive: true });

function result(change: Partial<FdResult> & { ts?: number[] }): FdResult {
  const { ts = [10], ...rest } = change;
  return {
    tool: "ncvsd-gpu",
    kind: "fd",
    format: 1,
    fd: 33.8,
    interval: { level: 0.95, low: 32.9, high: 34.8, replicates: 200, groups: 100 },
    curve: [2500, 5000].map((n) => ({ n, fd: 33.8 + (5000 - n) / 1000 })),
    labels: {
      agreement: 0.839,
      perClass: ["T-shirt/top", "Trouser"].map((name, i) => ({ class: i, name, n: 500, agreement: 0.8 + i / 10 })),
    },
    n: 5000,
    firstSeed: 0,
    checkpoint: { name: "weights/net.safetensors", sha256: "0".repeat(64), architecture: "ncvsd" },
    options: { sampler: "multi-step", ts, zeta: 1, precision: "f32", class: "seed modulo 10" },
    evaluationsPerImage: ts.length,
    classes: 10,
    features: { name: "fashion32-features", sha256: "1".repeat(64), dim: 64 },
    reference: { file: "ref.safetensors", count: 10000 },
    shards: 1,
    timing: { seconds: 100, imagesPerSecond: 50, evaluationsPerSecond: 50 * ts.length },
    adapter: "an adapter",
    version: "0.1.0",
    command: ["ncvsd-gpu"],
    date: "2026-01-02T03:04:05.000Z",
    ...rest,
  };
}

const dot = (grey: number) => ({
  png: encodePng({ width: 4, height: 4, channels: 1, data: new Uint8Array(16).fill(grey) }),
  label: `grey ${grey}`,
});
const pictures: RunPictures = {
  grid: [0, 1].map((c) => ({ label: `class ${c}`, images: Array.from({ length: 8 }, (_, i) => dot(20 * i + c)) })),
  neighbours: Array.from({ length: 6 }, (_, i) => ({
    image: dot(30 * i),
    nearest: [1, 2, 3].map((d) => ({ ...dot(30 * i + d), distance: d })),
  })),
};
const teacher = {
  ...result({
    fd: 10.3,
    evaluationsPerImage: 63,
    n: 2000,
    checkpoint: { name: "weights/teacher.safetensors", sha256: "2", architecture: "edm2" },
  }),
  options: { sampler: "heun", steps: 32, guidance: 1, S_churn: 0, precision: "f32" },
};
const results = [result({}), result({ ts: [10, 22], fd: 33.6 }), result({ ts: [0, 10, 20, 30], fd: 37 }), teacher];
const runs = results.map((r, i) => ({
  name: runNames(results)[i]!,
  result: r,
  pictures: i === 3 ? "No pictures." : pictures,
}));
const page = reportHtml({
  title: "Evaluation",
  runs,
  version: "0.1.0",
  date: "2026-01-02",
  data: { name: "train", count: 60_000 },
});

describe("report", () => {
  it("has a row a run, both charts, classes, grids and neighbours", () => {
    expect(runs.map((r) => r.name)).toEqual([
      "1 step (10)",
      "2 steps (10, 22)",
      "4 steps (0, 10, 20, 30)",
      "Heun, 32 steps",
    ]);
    for (const text of ["<b>33.8</b>", "32.9 to 34.8", "83.9%", "<b>10.3</b>", "No pictures.", "of train (60000)"])
      expect(page).toContain(text);
    expect(page.match(/<svg/g)).toHaveLength(2);
    expect(page.match(/<img /g)).toHaveLength(3 * (16 + 24));
    // A point a run, and two a curve.
    expect(page.match(/<circle/g)).toHaveLength(4 + 8);
  });

  it("needs nothing from anywhere: everything it refers to is in it", () => {
    for (const [, target] of page.matchAll(/(?:src|href|xlink:href|action|url)\s*[=(]\s*["']?([^"')>\s]+)/g))
      expect(target).toMatch(/^data:/);
    expect(page).not.toMatch(/<script|@import|https?:/);
  });

  it("shows names as text, whatever is in them", () => {
    const evil = `<script>alert("1")</script>&'`;
    const html = reportHtml({
      title: evil,
      runs: [{ name: evil, result: result({ adapter: evil }), pictures: evil }],
      version: "1",
      date: "2026-01-02",
    });
    expect(html).not.toContain("<script");
    expect(html).toContain("&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;&amp;&#39;");
  });

  it("tells runs of one sampler apart", () => {
    expect(runNames([result({}), result({ n: 500 })])).toEqual(["1 step (10), 5000 images", "1 step (10), 500 images"]);
    const other = result({ checkpoint: { ...teacher.checkpoint } });
    expect(runNames([result({}), other])).toEqual(["1 step (10), net.safetensors", "1 step (10), teacher.safetensors"]);
  });

  it("draws a single point and equal points without NaN", () => {
    for (const points of [
      [{ x: 1, y: 0 }],
      [
        { x: 2, y: 3 },
        { x: 2, y: 3 },
      ],
    ]) {
      expect(chartSvg({ title: "t", xLabel: "x", yLabel: "y", series: [{ name: "s", points }] })).not.toMatch(
        /NaN|Infinity/,
      );
    }
  });
});

it("several metrics have a line each, beside what was stated of them; pictures of files are called by their place", () => {
  const by = (metric: string, fd: number) => {
    const { fd: _, interval: __, labels: ___, ...rest } = result({});
    return { ...rest, fd, features: { ...rest.features, metric, name: `${metric}-network` } };
  };
  const both = {
    ...by("fid", 2.14),
    others: [by("fd_dinov2", 45.12)],
    options: { sampler: "pictures", class: "random" },
  };
  const stored = { ...both, checkpoint: { name: "some/out.zip", sha256: "3", architecture: "pictures" } };
  checkResult(JSON.parse(JSON.stringify(stored)), "a.json");
  expect(runNames([stored])).toEqual(["out.zip"]);
  const run = { name: "out.zip", result: stored, pictures: "They are those of out.zip.", stated: [2.2, 44] };
  const html = reportHtml({ title: "Two", runs: [run], version: "0.1.0", date: "2026-01-02" });
  expect(html).toContain("<td>fid <b>2.14</b><br>fd_dinov2 <b>45.1</b></td>");
  expect(html).toContain("<td>fid 2.20<br>fd_dinov2 44.0</td>");
  // A line of a chart is of one kind of features.
  expect(html).not.toContain("out.zip, fid");
  const other = { ...run, result: { ...stored, ...by("fd_dinov2", 45.12), checkpoint: stored.checkpoint } };
  const mixed = reportHtml({ title: "Two", runs: [run, other], version: "0.1.0", date: "2026-01-02" });
  for (const kind of ["fid", "fd_dinov2"]) expect(mixed.split(`out.zip, ${kind}`).length).toBeGreaterThan(2);
  expect(html).toContain("feature space of fid-network, fd_dinov2-network");
  expect(html).toContain("classes: random");
});

describe("evaluate report", () => {
  it("has a column beside ours for the distances that a model card states", async () => {
    const files = results.map((r, i) => {
      writeFileSync(place(`s${i}.json`), JSON.stringify(r));
      return place(`s${i}.json`);
    });
    const report = (...more: string[]) => cli(["evaluate", "report", ...files, "--no-images", ...more]);
    const out = place("stated.html");
    expect((await report("--stated", "33.9, 33.61,36.96,10.2", "--out", out)).code).toBe(0);
    const html = readFileSync(out, "utf8");
    expect(html).toContain("<th>FD stated</th>");
    expect(html).toMatch(/<b>37\.0<\/b><\/td><td>32\.9 to 34\.8<\/td><td>37\.0<\/td><td>83\.9%/);
    expect(html).toContain("<td>10.2</td>");
    expect(page).not.toContain("FD stated");
    expect(sentence(await report("--stated", "33.9,33.6", "--out", place("no.html")))).toMatch(
      /^--stated has 2 distances, but there are 4 results/,
    );
    expect(sentence(await report("--stated", "33.9,33.6/1,37,10", "--out", place("no.html")))).toMatch(
      /^--stated has 2 distances for .*s1\.json, which has 1/,
    );
    expect(sentence(await report("--stated", "a", "--out", place("no.html")))).toMatch(
      /^--stated "a": must be a number/,
    );
    expect(sentence(await report("--out", place(".")))).toMatch(/cannot be written: it is a folder/);
  });

  it("makes the page of result files without a GPU, and refuses other files", async () => {
    const files = results.map((r, i) => {
      writeFileSync(place(`${i}.json`), JSON.stringify(r));
      return place(`${i}.json`);
    });
    await cliOk(["evaluate", "report", ...files, "--no-images", "--out", place("page.html"), "--title", "Four runs"]);
    const html = readFileSync(place("page.html"), "utf8");
    expect(html).toContain("<h1>Four runs</h1>");
    expect(html).toContain("No pictures were asked for.");
    writeFileSync(place("other.json"), "{}");
    writeFileSync(place("text.json"), "text");
    const fails = async (...args: string[]) => sentence(await cli(["evaluate", "report", ...args]));
    expect(await fails(place("other.json"))).toMatch(/other.json is no result of `evaluate fd`/);
    expect(await fails(place("text.json"))).toMatch(/text.json is no JSON/);
    expect(await fails(place("none.json"))).toMatch(/none.json is not there/);
    expect(await fails(files[0]!, "--no-images", "--data", "x")).toMatch(/leave out --no-images/);
  });
});

const browser = ["chromium", "chromium-browser", "google-chrome"].find(
  (name) => spawnSync(name, ["--version"]).status === 0,
);
if (browser !== undefined) {
  it("looks as it should in a browser: nothing runs over the edge, charts and pictures are drawn", () => {
    const [width, height] = [1200, 1800];
    writeFileSync(place("look.html"), page);
    const flags = [
      "--headless",
      "--no-sandbox",
      "--disable-gpu",
      "--disable-background-networking",
      "--hide-scrollbars",
    ];
    const shot = place("look.png");
    const args = [
      ...flags,
      `--user-data-dir=${place("profile")}`,
      `--window-size=${width},${height}`,
      `--screenshot=${shot}`,
    ];
    const { status, stderr } = spawnSync(browser, [...args, `file://${place("look.html")}`], {
      encoding: "utf8",
      timeout: 90_000,
    });
    expect(status, stderr).toBe(0);
    const image = png(shot);
    expect([image.width, image.height]).toEqual([width, height]);
    const at = (x: number, y: number) => [
      ...image.data.subarray((y * width + x) * image.channels, (y * width + x) * image.channels + 3),
    ];
    const count = (wanted: (rgb: number[]) => boolean, x0 = 0, x1 = width) => {
      let n = 0;
      for (let y = 0; y < height; y++) for (let x = x0; x < x1; x++) if (wanted(at(x, y))) n++;
      return n;
    };
    const near = (rgb: number[], to: readonly number[]) => rgb.every((v, i) => Math.abs(v - to[i]!) < 12);
    // The charts' first two colours, the pictures' greys, and an empty margin on the right.
    expect(count((rgb) => near(rgb, [0x00, 0x72, 0xb2]))).toBeGreaterThan(200);
    expect(count((rgb) => near(rgb, [0xd5, 0x5e, 0x00]))).toBeGreaterThan(100);
    expect(count((rgb) => near(rgb, [100, 100, 100]))).toBeGreaterThan(2000);
    expect(count((rgb) => !near(rgb, [255, 255, 255]), width - 20)).toBe(0);
  });
}

describe("a result is read field by field", () => {
  const good = JSON.parse(JSON.stringify(result({}))) as Record<string, unknown>;
  it("as it was written", () => expect(checkResult(good, "r.json")).toEqual(good));

  it.each([
    ["n", "<script>alert(1)</script>"],
    ["n", 1e9],
    ["n", -1],
    ["fd", null],
    ["fd", "33"],
    ["evaluationsPerImage", [1]],
    ["curve", [{ n: "<b>", fd: 1 }]],
    ["curve", {}],
    ["curve", []],
    ["options", { sampler: "heun", steps: { toString: 1 } }],
    ["options", { sampler: "multi-step", ts: [10, { a: 1 }] }],
    ["timing", { seconds: 1, imagesPerSecond: "fast", evaluationsPerSecond: 1 }],
    ["interval", { level: 0.95, low: "<i>", high: 2 }],
    ["labels", { agreement: 2, perClass: [] }],
    ["labels", { agreement: 0.5, perClass: [{ class: 0, n: 1, agreement: "<u>" }] }],
    ["features", { name: 3, sha256: "x", dim: 64 }],
    ["checkpoint", null],
    ["kind", "other"],
    ["format", "1"],
  ])("%s: %j is refused by name", (key, value) => {
    expect(() => checkResult({ ...good, [key]: value }, "r.json")).toThrow(
      new RegExp(`r\\.json is no result .*${key}`),
    );
  });

  it.each([[null], [7], ["text"], [[]]])("%j is none", (value) => {
    expect(() => checkResult(value, "r.json")).toThrow("r.json is no result");
  });

  it("whatever a file says, the page has no element and no attribute of it, and runs nothing", () => {
    const evil = `"><script>alert(1)</script><img src=x onerror="alert(2)">`;
    const hostile = result({
      checkpoint: { name: evil, sha256: "0", architecture: "ncvsd" },
      options: { sampler: "heun", steps: evil, guidance: evil, S_churn: evil, precision: evil },
      adapter: evil,
      features: { name: evil, sha256: evil, dim: 64 },
    } as never);
    const page = reportHtml({
      title: evil,
      runs: [{ name: evil, result: hostile, pictures: evil }],
      version: evil,
      date: evil,
      data: { name: evil, count: 3 },
    });
    expect(page).not.toMatch(/<script|<img|onerror="/);
    expect(page).toContain("default-src 'none'");
    expect(page).toContain("&lt;script&gt;");
  });
});

describe("whether intervals overlap", () => {
  const said = (changes: readonly Partial<FdResult>[]) => {
    const all = changes.map((change, i) => ({ name: `run ${i}`, result: result(change), pictures: "" }));
    const html = reportHtml({ title: "t", runs: all, version: "0", date: "2026-01-02" });
    return /<p>([^<]*95% intervals[^<]*)<\/p>/.exec(html)?.[1];
  };
  const interval = (low: number, high: number) => ({ interval: { level: 0.95, low, high, replicates: 9, groups: 9 } });

  it.each([
    [[interval(1, 2), interval(3, 4)], "The two 95% intervals do not overlap."],
    [[interval(1, 2), interval(3, 4), interval(5, 6)], "No two 95% intervals overlap."],
    [
      [interval(1, 3), interval(2, 4), interval(5, 6)],
      "The 95% intervals of run 0 and run 1 overlap: these distances do not say which is better. The others are apart.",
    ],
    [
      [interval(1, 3), interval(2, 4)],
      "The 95% intervals of run 0 and run 1 overlap: these distances do not say which is better.",
    ],
    // Of other numbers of images, other features, to other data, or without an interval: nothing can be said.
    [[interval(1, 3), { ...interval(2, 4), n: 2000 }], undefined],
    [[interval(1, 3), { ...interval(2, 4), features: { name: "other", sha256: "1", dim: 8 } }], undefined],
    [[interval(1, 3), { ...interval(2, 4), reference: { file: "other.npz", count: 10_000 } }], undefined],
    [[interval(1, 3)], undefined],
  ])("%#", (changes, sentence) => {
    expect(said(changes as Partial<FdResult>[])).toBe(sentence);
  });
});
