import { appendFileSync, existsSync, readFileSync } from "node:fs";
import { bad } from "../../errors.js";
import { reason, writeAtomic } from "../../runs/whole-file.js";

/** A line of log.jsonl: what happened when so many images had been seen. */
export interface LogEntry {
  readonly what: "start" | "status" | "snapshot" | "stop";
  readonly images: number;
  /** Of "status": means since the last one. */
  readonly loss?: number;
  readonly lr?: number;
  readonly imagesPerSecond?: number;
  /** Gradient entries that were not finite, in all updates so far. */
  readonly zeroedGradients?: number;
  /** Of "snapshot": names in the run's folder, and the distance to the bundled data. */
  readonly files?: readonly string[];
  readonly samples?: string;
  readonly fd?: number;
  readonly [more: string]: unknown;
}

/** A run's log, a JSON object a line. What lies after the state that a run goes on from is forgotten. */
export class Log {
  readonly entries: LogEntry[];
  readonly #path: string;

  private constructor(path: string, entries: LogEntry[]) {
    this.#path = path;
    this.entries = entries;
  }

  /** @param images seen by the state: lines after it are of updates that are made again; -1: begin anew */
  static open(path: string, images: number): Log {
    const text = images >= 0 && existsSync(path) ? readFileSync(path, "utf8") : "";
    const entries = text.split("\n").flatMap((line) => {
      const entry = parsed(line);
      return entry && entry.images <= images ? [entry] : [];
    });
    writeAtomic(path, entries.map(lineOf).join(""));
    return new Log(path, entries);
  }

  add(entry: LogEntry): void {
    this.entries.push(entry);
    try {
      appendFileSync(this.#path, lineOf(entry));
    } catch (cause) {
      throw bad(`${this.#path} cannot be written: ${reason(cause)}`, cause);
    }
  }
}

/** The tool's name comes first: by it the file is known as ours. */
const lineOf = (entry: LogEntry) => `${JSON.stringify({ tool: "ncvsd-gpu", ...entry })}\n`;

/** undefined for a line that a killed process did not finish. */
function parsed(line: string): LogEntry | undefined {
  try {
    const { tool, ...entry } = JSON.parse(line) as { tool: string } & LogEntry;
    return tool === "ncvsd-gpu" && Number.isSafeInteger(entry.images) ? entry : undefined;
  } catch {
    return undefined;
  }
}
