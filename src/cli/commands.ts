import type { Command } from "commander";

/**
 * Every command, in the order of the help. Each is loaded when it is called: all of them together take half a second to load, one a
 * third of it or less.
 */
const COMMANDS: Readonly<Record<string, () => Promise<(program: Command) => void>>> = {
  sample: async () => (await import("./sample.js")).registerSample,
  reproduce: async () => (await import("./reproduce.js")).registerReproduce,
  restore: async () => (await import("./restore/restore.js")).registerRestore,
  measure: async () => (await import("./measure/measure.js")).registerMeasure,
  calibrate: async () => (await import("./calibrate/calibrate.js")).registerCalibrate,
  evaluate: async () => (await import("./evaluate/evaluate.js")).registerEvaluate,
  demo: async () => (await import("./demo.js")).registerDemo,
  convert: async () => (await import("./convert.js")).registerConvert,
  dataset: async () => (await import("./dataset/dataset.js")).registerDataset,
  train: async () => (await import("./train/train.js")).registerTrain,
  distill: async () => (await import("./train/distill.js")).registerDistill,
  phema: async () => (await import("./phema.js")).registerPhema,
  disco: async () => (await import("./disco/disco.js")).registerDisco,
  inspect: async () => (await import("./inspect.js")).registerInspect,
  doctor: async () => (await import("./doctor.js")).registerDoctor,
  bench: async () => (await import("./bench/bench.js")).registerBench,
  cite: async () => (await import("./cite.js")).registerCite,
  completion: async () => (await import("./completion.js")).registerCompletion,
};

/** Commands that need to know all the others. */
const OF_ALL = ["completion"];

/** Adds the command of that name to the program; all of them where it is none, so that the help and a guess know them, or needs all. */
export async function registerCommands(program: Command, name?: string): Promise<void> {
  const alone = name !== undefined && Object.hasOwn(COMMANDS, name) && !OF_ALL.includes(name);
  const names = alone ? [name] : Object.keys(COMMANDS);
  for (const register of await Promise.all(names.map((each) => COMMANDS[each]!()))) register(program);
}
