import type { Command } from "commander";
import { registerBench } from "./bench/bench.js";
import { registerCalibrate } from "./calibrate/calibrate.js";
import { registerConvert } from "./convert.js";
import { registerDataset } from "./dataset/dataset.js";
import { registerDemo } from "./demo.js";
import { registerDisco } from "./disco/disco.js";
import { registerDoctor } from "./doctor.js";
import { registerEvaluate } from "./evaluate/evaluate.js";
import { registerInspect } from "./inspect.js";
import { registerMeasure } from "./measure/measure.js";
import { registerPhema } from "./phema.js";
import { registerReproduce } from "./reproduce.js";
import { registerRestore } from "./restore/restore.js";
import { registerSample } from "./sample.js";
import { registerDistill } from "./train/distill.js";
import { registerTrain } from "./train/train.js";

/** Adds every command to the program, in the order of its help. */
export function registerAll(program: Command): void {
  for (const register of [
    registerSample,
    registerReproduce,
    registerRestore,
    registerMeasure,
    registerCalibrate,
    registerEvaluate,
    registerDemo,
    registerConvert,
    registerDataset,
    registerTrain,
    registerDistill,
    registerPhema,
    registerDisco,
    registerInspect,
    registerDoctor,
    registerBench,
  ])
    register(program);
}
