import { oneLine, printable } from "../errors.js";
import { writeControl } from "./terminal.js";

/** Where progress goes: `process.stderr`, or anything alike. */
export interface ProgressStream {
  write(text: string): unknown;
  isTTY?: boolean;
  columns?: number;
}

export interface ProgressOptions {
  /** Images to make; those kept from an earlier run are not counted. */
  total: number;
  /** Said at the beginning of the line; default "sampling". */
  label?: string;
  /** What is counted, in the singular; default "image". */
  unit?: string;
  /** Default `process.stderr`. */
  stream?: ProgressStream;
  /** Show nothing at all (`--quiet`, `--json`). */
  silent?: boolean;
  /** Milliseconds, for tests; default `performance.now`. */
  now?: () => number;
  /** Environment that says whether the terminal can draw, for tests; default `process.env`. */
  env?: Record<string, string | undefined>;
}

/** One task's progress. */
export interface Progress {
  /** So many are done; fractions (steps of a batch under way) move the bar. */
  update(done: number): void;
  /** A line that stays, above the bar. */
  note(line: string): void;
  /** Takes the bar away (an error or the result can be printed then); on lines, says the last count. Safe to call twice. */
  stop(): void;
}

/** Milliseconds between two redraws of the bar, and between two lines where there is no terminal. */
const REDRAW_MS = 100;
const LINE_MS = 5000;
/** The rate is taken over this time and at least so many updates. */
const WINDOW_MS = 10_000;
const WINDOW_UPDATES = 8;
const MAX_COLUMNS = 80;

/**
 * A progress bar that redraws its one line on a terminal, plain lines every few seconds elsewhere. It owns no timer, hides no
 * cursor and switches no mode: whenever the process ends, the terminal is as it was.
 */
export function createProgress(options: ProgressOptions): Progress {
  const { total, label = "sampling", unit = "image", silent = false } = options;
  const { stream = process.stderr, now = () => performance.now(), env = process.env } = options;
  const terminal = Boolean(stream.isTTY) && env.TERM !== "dumb";
  const start = now();
  // Begins with the first update: what lies before it holds the start (pipelines, first loads) and tells nothing of the rest.
  const history: { done: number; time: number }[] = [];
  let shownAt = -Infinity;
  let done = 0;
  let drawn = false;
  let said = false;
  let stopped = silent;

  const erase = () => {
    if (drawn) writeControl(stream, "\r\x1b[2K");
    drawn = false;
  };
  const plural = total === 1 ? unit : plurals(unit);
  const count = () => `${Math.min(Math.floor(done + 1e-9), total)}/${total}`;
  const speed = () => {
    const [first, last] = [history[0], history.at(-1)];
    return first && last && last.time > first.time ? ((last.done - first.done) * 1000) / (last.time - first.time) : 0;
  };
  const figures = () => {
    const rate = speed();
    if (rate <= 0) return [];
    return [formatRate(rate, unit), `${formatDuration((total - done) / rate)} left`];
  };
  const drawBar = () => {
    const columns = Math.min(stream.columns || MAX_COLUMNS, MAX_COLUMNS) - 1;
    const text = [`${count()} ${plural}`, ...figures()].join("  ");
    const width = Math.min(30, columns - label.length - text.length - 3);
    const line = width >= 6 ? `${label} ${bar(done / total, width, env)} ${text}` : `${label} ${text}`;
    writeControl(stream, `\r\x1b[2K${printable(line.slice(0, columns))}`);
    drawn = true;
  };
  const writeLine = (more: string[]) => {
    stream.write(`${label}: ${[`${count()} ${plural}`, ...more].join(", ")}\n`);
    said = true;
  };
  const show = (time: number) => {
    if (time - shownAt < (terminal ? REDRAW_MS : LINE_MS) && !(terminal && done >= total)) return;
    // The last line is said by stop(), with the whole time.
    if (!terminal && done >= total) return;
    shownAt = time;
    if (terminal) drawBar();
    else writeLine(figures());
  };

  return {
    update(value) {
      if (stopped) return;
      done = Math.max(0, Math.min(value, total));
      const time = now();
      if (done === 0) return show(time);
      // Updates in quick succession are one entry.
      if (history.length > 1 && time - history.at(-2)!.time < REDRAW_MS) history.pop();
      history.push({ done, time });
      while (history.length > WINDOW_UPDATES && history[1]!.time <= time - WINDOW_MS) history.shift();
      show(time);
    },
    note(line) {
      if (stopped) return;
      erase();
      stream.write(`${line}\n`);
      if (terminal) drawBar();
    },
    stop() {
      if (stopped) return;
      stopped = true;
      erase();
      // Work that failed before anything came of it has no figures worth a line.
      if (terminal || (done === 0 && !said)) return;
      const seconds = (now() - start) / 1000;
      const rate = seconds > 0 && done > 0 ? [formatRate(done / seconds, unit)] : [];
      writeLine([...rate, `${done >= total ? "done" : "stopped"} after ${formatDuration(seconds)}`]);
    },
  };
}

/** Runs a task with progress and takes the bar away however it ends. */
export async function withProgress<T>(options: ProgressOptions, task: (progress: Progress) => Promise<T>): Promise<T> {
  const progress = createProgress(options);
  try {
    return await task(progress);
  } finally {
    progress.stop();
  }
}

function bar(fraction: number, width: number, env: Record<string, string | undefined>): string {
  const locale = env.LC_ALL || env.LC_CTYPE || env.LANG || "";
  const unicode = process.platform !== "linux" || (env.TERM !== "linux" && /utf-?8/i.test(locale));
  const full = Math.round(Math.max(0, Math.min(fraction, 1)) * width);
  return unicode ? "█".repeat(full) + "░".repeat(width - full) : `[${"#".repeat(full)}${".".repeat(width - full)}]`;
}

/** Units of measurement stay as they are: "MB". */
const plurals = (unit: string): string => (/[A-Z]$/.test(unit) ? unit : `${unit}s`);

/** "123 images/s", "3.4 images/s", "0.21 images/s". */
export function formatRate(perSecond: number, unit: string): string {
  const digits = perSecond >= 100 ? 0 : perSecond >= 1 ? 1 : 2;
  return `${perSecond > 0 && perSecond < 0.01 ? perSecond.toPrecision(1) : perSecond.toFixed(digits)} ${plurals(unit)}/s`;
}

/** "0.4 s", "12 s", "3 min 05 s", "2 h 07 min". */
export function formatDuration(seconds: number): string {
  if (!Number.isFinite(seconds)) return "?";
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  const s = Math.round(seconds);
  const two = (v: number) => String(v).padStart(2, "0");
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min ${two(s % 60)} s`;
  return `${Math.floor(s / 3600)} h ${two(Math.floor((s % 3600) / 60))} min`;
}

/** Tells people something beside the result: one line on stderr. */
export const tell = (line: string): void => void process.stderr.write(`${oneLine(line)}\n`);
