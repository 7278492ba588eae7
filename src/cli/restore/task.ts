import { createHash } from "node:crypto";
import { writeSync } from "node:fs";
import { basename, extname, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { readArray, readInput, stem } from "../../data/arrays.js";
import { readGeometry } from "../../data/geometry.js";
import { readKernel, readMask } from "../../data/inputs.js";
import { bad } from "../../errors.js";
import type { Gpu } from "../../gpu/device.js";
import type { ImageShape } from "../../networks/session.js";
import type { Baselines, Measured } from "../../operators/baselines.js";
import { volume } from "../../operators/check.js";
import type { Operator } from "../../operators/operator.js";
import { answered, giveUpWaiting, waitedFor, watched } from "../../operators/own.js";
import type { FileValues, GeometryFile, TaskFlag } from "../../operators/tasks/task.js";
import { makeTask, OWN_SETTINGS, type RestoreTask, tasks } from "../../operators/tasks.js";
import { cleanUp } from "../../runs/interrupt.js";
import { parseTaskFlags, type TaskFlags } from "./task-flags.js";

/** Makes the operator that the command line asks for; files are read. A blur that was really made has its centre in the kernel's. */
export async function openTask(
  gpu: Gpu,
  flags: TaskFlags & { readonly measurement?: string },
  shape: ImageShape,
): Promise<RestoreTask> {
  const { name, options } = parseTaskFlags(flags);
  if (name === undefined) return ownTask(gpu, flags.operator!, shape);
  const known = tasks[name].flags;
  const { measurement } = flags;
  const read: Record<string, unknown> = {};
  if (measurement !== undefined && "kernelCentre" in known) read.kernelCentre = "kernel";
  // What `measure import` wrote beside a measurement.
  const beside =
    measurement !== undefined && extname(measurement) === ".safetensors"
      ? { mask: measurement, geometry: measurement }
      : {};
  for (const [key, value] of Object.entries({ ...beside, ...options })) {
    const kind = known[key]?.value;
    if (!kind) continue;
    if (!("file" in kind)) read[key] = value;
    else if (key in options) read[key] = await READERS[kind.file](String(value), shape, key);
    else if (kind.file === "array" || (kind.file === "geometry" && !("angles" in options)))
      read[key] = await READERS[kind.file](String(value), shape, key).catch(() => undefined);
  }
  return makeTask(gpu, name, shape, read);
}

type FileKind = Extract<TaskFlag["value"], { file: string }>["file"];

/** Readers of the files that tasks' options name. */
const READERS: Record<FileKind, (path: string, shape: ImageShape, key: string) => Promise<FileValues | GeometryFile>> =
  {
    mask: async (path, shape) => fileValues(path, await readMask(path, shape), shape),
    kernel: async (path, [, h, w]) => {
      const { kernel, kernelSize } = await readKernel(path, Math.min(h, w));
      return fileValues(path, kernel, [kernelSize, kernelSize]);
    },
    array: async (path, _, key) => {
      const { values, shape, kind } = await readArray(path, [key]);
      // Bytes of a mask are white and black.
      const white = kind === "bytes" && values.some((v) => v > 1);
      return fileValues(path, white ? values.map((v) => v / 255) : values, shape);
    },
    geometry: async (path) => {
      const geometry = await readGeometry(path, `--geometry ${path}`);
      return { geometry, name: basename(path), sha256: sha256(new TextEncoder().encode(JSON.stringify(geometry))) };
    },
  };

const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

function fileValues(path: string, values: Float32Array, shape: readonly number[]): FileValues {
  const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  return { values, shape, name: basename(path), sha256: sha256(bytes) };
}

/** `--operator FILE.js`: its default export makes the operator. */
async function ownTask(gpu: Gpu, path: string, shape: ImageShape): Promise<RestoreTask> {
  const source = readInput(path);
  const option = `--operator ${path}`;
  const module = await answered(`the module of ${option}`, () => import(pathToFileURL(resolve(path)).href));
  const make = (module as { default?: unknown }).default;
  if (typeof make !== "function")
    throw bad(`${option} must export by default a function (gpu, { shape }) that gives an operator`);
  const made = await answered(`the function of ${option}`, () => make(gpu, { shape }) as Operator | undefined);
  if (typeof made?.forward !== "function")
    throw bad(`${option}: what it made is no operator (it needs shape, measurementShape and forward)`);
  const operator = watched(made, made.name ?? basename(path));
  if (String(operator.shape) !== String(shape))
    throw bad(
      `${option} is for images of [${operator.shape}], but the checkpoint makes [${shape}]: use the shape it is given`,
    );
  return {
    operator,
    name: stem(path),
    settings: { paper: OWN_SETTINGS },
    samplers: {},
    description: operator.name!,
    notes: [],
    observed: volume(operator.measurementShape),
    ...{ blur: false, movable: false, scale: "pixels" as const, noise: "added" as const },
    baselines: measurementItself,
    options: { operator: sha256(source) },
  };
}

/** Runs `work`; a process that is ended within it, but by a signal, was ended by the operator's module. */
export async function withOwnOperator<T>(path: string | undefined, work: () => Promise<T>): Promise<T> {
  if (path === undefined) return work();
  const tell = (code: number) => {
    if (code >= 128) return;
    cleanUp();
    const where = waitedFor() ?? "something that it started";
    writeSync(
      2,
      `ncvsd-gpu: --operator ${path} ended the process before the run was over: ${where} called process.exit.\n`,
    );
    process.exitCode = 1;
  };
  process.on("exit", tell);
  // What is still waited for when nothing is left to happen would end the process without a word.
  process.on("beforeExit", giveUpWaiting);
  try {
    return await work();
  } finally {
    process.off("exit", tell);
    process.off("beforeExit", giveUpWaiting);
  }
}

/** The measurement, where it is an image. */
async function measurementItself({ operator, y }: Measured): Promise<Baselines> {
  return String(operator.measurementShape) === String(operator.shape) ? { measurement: y } : {};
}
