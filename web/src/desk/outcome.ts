/** A restoration: the recorded one, one under way, or what it came to. */
import { signal } from "@preact/signals";
import { JobError, type Running, run } from "../engine/client.js";
import { boxMask } from "../engine/masks.js";
import type { Measured, Restored, TaskName } from "../engine/protocol.js";
import { announce } from "../parts/live.js";
import { moments } from "../parts/pixels.js";
import * as state from "../state.js";
import { network } from "./network.js";
import { pictureName, truth } from "./subject.js";
import { chiWords } from "./words.js";

export interface Outcome {
  readonly phase: "recorded" | "running" | "done";
  readonly task: TaskName;
  readonly measured?: Pick<Measured, "values" | "shape" | "amplitudes">;
  readonly truth?: Float32Array;
  readonly mask?: Uint8Array | undefined;
  readonly runs: number;
  readonly images?: Float32Array;
  readonly at?: { readonly step: number; readonly steps: number; readonly sigma: number };
  readonly result?: Restored;
  /** The address of the choices that it was made by. */
  readonly choices?: string;
}

export const outcome = signal<Outcome | undefined>(undefined);
export const failure = signal<string | undefined>(undefined);
let running: Running<"restore"> | undefined;

const hidden = (task: TaskName) =>
  task === "mask" ? state.mask.value : task === "box" ? boxMask(state.box.value) : undefined;

export async function restore(): Promise<void> {
  const picture = truth.value;
  if (!picture) {
    failure.value = "There is no picture on the desk: open one.";
    return;
  }
  const task = state.task.value;
  const mask = hidden(task);
  if (mask && !mask.includes(0)) {
    failure.value = "Nothing is hidden yet: draw on the picture first.";
    return;
  }
  if (mask && !mask.includes(1)) {
    failure.value = "Everything is hidden: leave some of the picture, or generate pictures below.";
    return;
  }
  failure.value = undefined;
  const runs = state.runs.value;
  const choices = state.written();
  // What is shown again where this run gives nothing.
  const before = outcome.peek()?.phase === "running" ? undefined : outcome.peek();
  let now: Outcome = { phase: "running", task, truth: picture, mask, runs, choices };
  const show = (more: Partial<Outcome>) => {
    now = { ...now, ...more };
    outcome.value = now;
  };
  show({});
  announce(`Drawing ${runs} samples.`);
  const own = run(
    {
      kind: "restore",
      degradation: state.degradation(),
      truth: picture,
      name: pictureName.value,
      sigmaY: state.sigmaY.value,
      ...(network.value ? { network: network.value } : {}),
      ...{ runs, seed: state.seed.value, label: state.label.value, levels: state.levels.value },
    },
    (event) => {
      if (running !== own) return;
      if (event.kind === "measured") show({ measured: event });
      else show({ images: event.images, at: event });
    },
  );
  running = own;
  try {
    const result = await own.result;
    if (running !== own) return;
    show({ phase: "done", images: result.images, result });
    const mean = result.chi2.reduce((a, b) => a + b, 0) / runs;
    announce(`${runs} samples in ${result.seconds.toFixed(1)} seconds. ${chiWords(mean, result.evaluations + 1)}`);
  } catch (error) {
    if (running !== own) return;
    outcome.value = now.images ? { ...now, phase: "done" } : before;
    if (error instanceof JobError && error.code === "STOPPED") announce("Stopped.");
    else failure.value = (error as Error).message;
  } finally {
    if (running === own) running = undefined;
  }
}

export function stop(): void {
  running?.stop();
}

/** Over the samples; the standard deviation as a share of the way from black to white. */
export function spreadOf(images: Float32Array): { mean: Float32Array; std: Float32Array } {
  const { mean, std } = moments(images);
  return { mean, std: std.map((v) => v / 2) };
}
