import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { TEST_ADAPTER } from "./gpu.js";

const MODULE = new URL("../../dist/src/index.js", import.meta.url).href;
const SCRIPT = fileURLToPath(new URL("micro-training.mjs", import.meta.url));

export interface SharedRun {
  readonly opens: "openTraining" | "openDistillation";
  /** Plain values, four virtual workers among them. */
  readonly options: object;
  /** Those of a data set: image p of the run is number p modulo their count, of class p modulo 5. */
  readonly images: readonly (readonly number[])[];
  readonly updates: number;
}

/**
 * A run whose four virtual workers are played by two processes that exchange sums through files.
 * @returns what each of the two has in the end, by name: parameters, and what is averaged at std 0.1
 */
export async function playedByTwo(run: SharedRun): Promise<Map<string, Float32Array>[]> {
  const root = mkdtempSync(join(tmpdir(), "ncvsd-two-"));
  try {
    const exchange = join(root, "exchange");
    mkdirSync(exchange);
    const results = [
      [0, 1],
      [2, 3],
    ].map((own, p) => {
      const [input, result] = [join(root, `process-${p}.json`), join(root, `result-${p}`)];
      writeFileSync(
        input,
        JSON.stringify({ module: MODULE, adapter: TEST_ADAPTER, ...run, workers: 4, own, exchange, result }),
      );
      const child = spawn(process.execPath, [SCRIPT, input], { stdio: ["ignore", "ignore", "pipe"] });
      let stderr = "";
      child.stderr.setEncoding("utf8").on("data", (text: string) => {
        stderr += text;
      });
      return new Promise<string>((resolve, reject) =>
        child.on("close", (code) => (code === 0 ? resolve(result) : reject(new Error(stderr)))),
      );
    });
    return (await Promise.all(results)).map((result) => {
      const pairs: [string, string][] = JSON.parse(readFileSync(result, "utf8"));
      return new Map(
        pairs.map(([name, text]) => [name, new Float32Array(Uint8Array.from(Buffer.from(text, "base64")).buffer)]),
      );
    });
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}
