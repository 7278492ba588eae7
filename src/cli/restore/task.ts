import { createHash } from "node:crypto";
import { writeSync } from "node:fs";
import { basename, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { readInput, stem } from "../../data/arrays.js";
import { readKernel, readMask } from "../../data/inputs.js";
import { bad } from "../../errors.js";
import type { Gpu } from "../../gpu/device.js";
import type { ImageShape } from "../../networks/session.js";
import type { Baselines, Measured } from "../../operators/baselines.js";
import { volume } from "../../operators/check.js";
import type { Operator } from "../../operators/operator.js";
import { answered, giveUpWaiting, waitedFor, watched } from "../../operators/own.js";
import type { FileValues } from "../../operators/tasks/task.js";
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
  const read: Record<string, unknown> = {};
  const known = tasks[name].flags;
  if (flags.measurement !== undefined && "kernelCentre" in known) read.kernelCentre = "kernel";
  for (const [key, value] of Object.entries(options)) {
    const kind = known[key]!.value;
    read[key] = "file" in kind ? fileValues(String(value), await READERS[kind.file](String(value), shape)) : value;
  }
  return makeTask(gpu, name, shape, read);
}

/** Readers of the files that tasks' options name. */
const READERS: Record<"mask" | "kernel", (path: string, shape: ImageShape) => Promise<Float32Array>> = {
  mask: readMask,
  kernel: async (path, [, h, w]) => (await readKernel(path, Math.min(h, w))).kernel,
};

const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

function fileValues(path: string, values: Float32Array): FileValues {
  const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  return { values, name: basename(path), sha256: sha256(bytes) };
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
    amplitudes: false,
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
