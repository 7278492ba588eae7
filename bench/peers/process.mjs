/** Contenders as processes: what each may patch or break is its own affair, and one that crashes leaves the others running. */
import { fork } from "node:child_process";
import { fileURLToPath } from "node:url";

/**
 * @typedef {{ name: string, file: string, package?: string, flags?: string[], cpu?: boolean, only?: string }} Contender
 * `package`: the npm package whose version is printed. `cpu`: computes without WebGPU and is no peer, only shown beside them.
 * `only`: the kind of rows that it has, and without which it is left out.
 */

/** @type {Contender} */
export const OURS = { name: "ncvsd-gpu", file: "ours" };

/** @type {readonly Contender[]} */
export const PEERS = [
  { name: "onnxruntime-node", file: "onnx-node", package: "onnxruntime-node" },
  // Without this flag V8 optimises the runtime's WebAssembly in the background, while others have their turn. Their own times
  // are the same with and without it.
  { name: "onnxruntime-web", file: "onnx-web-webgpu", package: "onnxruntime-web", flags: ["--liftoff-only"] },
  { name: "onnxruntime-web JSEP", file: "onnx-web-jsep", package: "onnxruntime-web", flags: ["--liftoff-only"] },
  { name: "tfjs-webgpu", file: "tfjs", package: "@tensorflow/tfjs-backend-webgpu" },
  { name: "jax-js", file: "jax", package: "@jax-js/jax" },
  { name: "(onnxruntime-node, CPU)", file: "onnx-cpu", package: "onnxruntime-node", cpu: true },
  { name: "(NumPy, CPU)", file: "numpy", cpu: true, only: "disco" },
];

/** Before its first training step of the U-Net a software adapter compiles jax-js's pipelines for minutes, more when other work goes on. */
const LIMIT_MS = 1_800_000;

export class ContenderProcess {
  #child;
  #waiting = new Map();
  #next = 0;
  #stderr = "";

  /** @param {Contender} contender @param {NodeJS.ProcessEnv} env */
  constructor(contender, env = {}) {
    this.name = contender.name;
    const script = fileURLToPath(new URL("contender.mjs", import.meta.url));
    this.#child = fork(script, [contender.file], {
      serialization: "advanced",
      execArgv: contender.flags ?? [],
      stdio: ["ignore", "ignore", "pipe", "ipc"],
      env: { ...process.env, ...env },
    });
    this.#child.stderr.on("data", (text) => {
      this.#stderr = `${this.#stderr}${text}`.slice(-4000);
    });
    this.#child.on("message", ({ id, value, error }) => {
      const { resolve, reject } = this.#waiting.get(id);
      this.#waiting.delete(id);
      if (error === undefined) resolve(value);
      else reject(new Error(firstLine(error)));
    });
    // A request on its way to a process that has just ended: "exit" rejects it.
    this.#child.on("error", () => {});
    this.#child.on("exit", (code, signal) => {
      const last = this.#stderr
        .trim()
        .split("\n")
        .findLast((line) => line && !line.startsWith("Warning:"));
      const reason = `its process ended (${signal ?? `code ${code}`}${last ? `: ${last}` : ""})`;
      for (const { reject } of this.#waiting.values()) reject(new Error(reason));
      this.#waiting.clear();
    });
  }

  get alive() {
    return this.#child.connected;
  }

  /** @param {string} action @param {object} details @returns {Promise<any>} */
  ask(action, details = {}) {
    if (!this.alive) return Promise.reject(new Error("its process has ended"));
    const id = this.#next++;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        reject(new Error(`${action} took more than ${LIMIT_MS / 1000} s`));
        this.close();
      }, LIMIT_MS);
      const settled = (settle) => (value) => {
        clearTimeout(timer);
        settle(value);
      };
      this.#waiting.set(id, { resolve: settled(resolve), reject: settled(reject) });
      this.#child.send({ id, do: action, ...details });
    });
  }

  close() {
    this.#child.kill("SIGKILL");
  }
}

function firstLine(text) {
  return text.trim().split("\n")[0].slice(0, 200);
}
