import { describe, expect, test } from "vitest";
import {
  createProgress,
  formatDuration,
  formatRate,
  type ProgressOptions,
  withProgress,
} from "../../src/runs/progress.js";

const UTF8 = { LANG: "en_US.UTF-8", TERM: "xterm-256color" };

/** A stream that remembers, and a clock that stands still until told. */
function setUp(isTTY: boolean, more: Partial<ProgressOptions> = {}, columns = 80) {
  const writes: string[] = [];
  const clock = { ms: 0 };
  const stream = { isTTY, columns, write: (text: string) => writes.push(text) };
  const options: ProgressOptions = { total: 64, stream, now: () => clock.ms, env: UTF8, ...more };
  return { writes, clock, options, progress: createProgress(options) };
}

/** Back to the first column, and the line is empty. */
const ERASE = "\r\x1b[2K";

/** What stands on a terminal after these writes: lines above, and the line of the cursor. */
function screen(writes: string[]): string[] {
  const lines: string[] = [""];
  for (const line of writes.join("").split("\n")) lines.push(line.split(ERASE).at(-1)!);
  lines.shift();
  return lines;
}

describe("on a terminal", () => {
  test("one line is redrawn with count, images/s and time left, within 80 columns", () => {
    const { writes, clock, progress } = setUp(true);
    for (let done = 0; done <= 16; done += 4) {
      progress.update(done);
      clock.ms += 2000;
    }
    const lines = screen(writes);
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatch(/^sampling █+░+ 16\/64 images {2}2\.0 images\/s {2}24 s left$/);
    expect(lines[0]!.length).toBeLessThan(80);
    const drawn = /█+/.exec(lines[0]!)![0].length / /[█░]+/.exec(lines[0]!)![0].length;
    expect(drawn).toBeCloseTo(0.25, 1);
  });

  test("fractions move the bar, the count is of whole images", () => {
    const { writes, clock, progress } = setUp(true, { total: 2 });
    progress.update(0.5);
    clock.ms = 1000;
    progress.update(1.5);
    expect(screen(writes)[0]).toMatch(/1\/2 images {2}1\.0 images\/s {2}0\.5 s left/);
  });

  test("the start, which holds compilation, is no measure of what is left", () => {
    const { writes, clock, progress } = setUp(true, { total: 10 });
    progress.update(0);
    clock.ms = 30_000;
    progress.update(1);
    expect(screen(writes)[0]).toMatch(/1\/10 images$/);
    clock.ms = 31_000;
    progress.update(2);
    expect(screen(writes)[0]).toMatch(/1\.0 images\/s {2}8\.0 s left/);
  });

  test("the warm-up is forgotten", () => {
    const { writes, clock, progress } = setUp(true, { total: 1000 });
    clock.ms = 60_000;
    progress.update(1);
    for (let done = 2; done <= 40; done++) {
      clock.ms += 500;
      progress.update(done);
    }
    expect(screen(writes)[0]).toContain("2.0 images/s  8 min 00 s left");
  });

  test("redraws at most ten times a second, and always at the end", () => {
    const { writes, clock, progress } = setUp(true, { total: 1000 });
    for (let done = 1; done <= 1000; done++) {
      clock.ms += 1;
      progress.update(done);
    }
    expect(writes.length).toBeLessThanOrEqual(12);
    expect(screen(writes)[0]).toContain("1000/1000");
  });

  test("stop takes the bar away, twice is once, and later updates draw nothing", () => {
    const { writes, clock, progress } = setUp(true);
    progress.update(3);
    progress.stop();
    const count = writes.length;
    progress.stop();
    clock.ms = 9999;
    progress.update(4);
    progress.note("late");
    expect(writes).toHaveLength(count);
    expect(screen(writes)).toEqual([""]);
  });

  test("a note stays above the bar", () => {
    const { writes, progress } = setUp(true);
    progress.update(3);
    progress.note("12 images kept");
    const lines = screen(writes);
    expect(lines).toHaveLength(2);
    expect(lines[0]).toBe("12 images kept");
    expect(lines[1]).toMatch(/^sampling .*3\/64/);
  });

  test.each([80, 60, 40, 20, 10])("never wraps in %i columns", (columns) => {
    const { writes, clock, progress } = setUp(true, { total: 50_000 }, columns);
    for (let i = 1; i < 5; i++) {
      clock.ms += 60_000;
      progress.update(i);
    }
    for (const piece of writes) expect(piece.replace("\r\x1b[2K", "").length).toBeLessThan(columns);
  });

  test("plain characters where the locale is not UTF-8, no mode of the terminal is switched", () => {
    const { writes, progress } = setUp(true, { env: { LANG: "C", TERM: "xterm" } });
    progress.update(32);
    progress.stop();
    const all = writes.join("");
    if (process.platform === "linux") expect(all).toMatch(/\[#+\.+\]/);
    expect(all.replaceAll("\x1b[2K", "")).not.toContain("\x1b");
  });
});

describe("without a terminal", () => {
  test("a line every five seconds and one at the end, no control characters", () => {
    const { writes, clock, progress } = setUp(false);
    for (let done = 1; done <= 64; done++) {
      clock.ms += 500;
      progress.update(done);
    }
    progress.stop();
    const lines = writes.join("").trimEnd().split("\n");
    expect(lines.length).toBeGreaterThanOrEqual(6);
    expect(lines.length).toBeLessThanOrEqual(8);
    expect(lines[1]).toBe("sampling: 11/64 images, 2.0 images/s, 27 s left");
    expect(lines.at(-1)).toBe("sampling: 64/64 images, 2.0 images/s, done after 32 s");
    expect([...writes.join("")].filter((c) => c < " " && c !== "\n")).toEqual([]);
  });

  test("a dumb terminal gets lines too", () => {
    const { writes, progress } = setUp(true, { env: { TERM: "dumb" } });
    progress.update(1);
    expect(writes.join("")).toBe("sampling: 1/64 images\n");
  });
});

test("silent says nothing", () => {
  for (const tty of [true, false]) {
    const { writes, clock, progress } = setUp(tty, { silent: true });
    progress.update(1);
    clock.ms = 60_000;
    progress.update(64);
    progress.note("x");
    progress.stop();
    expect(writes).toEqual([]);
  }
});

test("withProgress takes the bar away also when the task fails", async () => {
  const { writes, options } = setUp(true);
  const failing = withProgress(options, async (progress) => {
    progress.update(5);
    throw new Error("device lost");
  });
  await expect(failing).rejects.toThrow("device lost");
  expect(writes.join("")).toContain("5/64");
  expect(screen(writes)).toEqual([""]);
});

test("rates and durations read well", () => {
  expect([0.004, 0.21, 1, 3.44, 12.34, 345.6].map((rate) => formatRate(rate, "image"))).toEqual([
    "0.004 images/s",
    "0.21 images/s",
    "1.0 images/s",
    "3.4 images/s",
    "12.3 images/s",
    "346 images/s",
  ]);
  expect([0, 0.44, 9.96, 59.6, 185, 3599.9, 7620, Infinity].map(formatDuration)).toEqual([
    "0.0 s",
    "0.4 s",
    "10 s",
    "1 min 00 s",
    "3 min 05 s",
    "1 h 00 min",
    "2 h 07 min",
    "?",
  ]);
});
