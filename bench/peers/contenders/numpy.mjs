/** NumPy on the CPU itself: no peer, but what a training step has to be seen beside on a software adapter. Python's process is its own. */
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { ADAM, discoConfig, ROWS_OF_POINTS } from "../network/disco.mjs";

const bytesOf = ({ buffer, byteOffset, byteLength }) => Buffer.from(buffer, byteOffset, byteLength);

export async function open() {
  const python = spawn("python3", [fileURLToPath(new URL("numpy-disco.py", import.meta.url))], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const ended = new Promise((_, reject) => {
    python.on("error", () => reject(new Error("there is no python3")));
    python.on("exit", (code) => reject(new Error(`python3 with NumPy ended with code ${code}`)));
  });
  // Whoever asks next hears of it.
  ended.catch(() => {});
  python.stdin.on("error", () => {});
  process.on("exit", () => python.kill());
  let waiting;
  let [parts, length] = [[], 0];
  const settle = () => {
    if (!waiting || length < waiting.bytes) return;
    const all = Buffer.concat(parts);
    [parts, length] = [[], 0];
    waiting.resolve(all);
    waiting = undefined;
  };
  python.stdout.on("data", (part) => {
    parts.push(part);
    length += part.length;
    settle();
  });
  const ask = (what, bytes) =>
    Promise.race([
      ended,
      new Promise((resolve) => {
        waiting = { bytes, resolve };
        python.stdin.write(`${what}\n`);
      }),
    ]);
  return {
    adapter: null,

    async prepare(_row, { disco }) {
      if (!disco) throw new Error("it is there for the training step of DISCO alone");
      const { shapes, tensors, x, target, weight } = disco;
      const names = [...shapes.keys()];
      const head = { config: discoConfig, adam: ADAM, rows: ROWS_OF_POINTS, tensors: [...shapes] };
      python.stdin.write(`${JSON.stringify(head)}\n`);
      for (const values of [...names.map((name) => tensors.get(name)), x, target, weight])
        python.stdin.write(bytesOf(values));
      const elements = names.reduce((sum, name) => sum + tensors.get(name).length, 0);
      return {
        run: () => ask("run", 5),
        async output() {
          const bytes = await ask("output", 4 * elements);
          return new Float32Array(Uint8Array.from(bytes).buffer);
        },
        release: () => python.stdin.end(),
      };
    },
  };
}
