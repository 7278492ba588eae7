/** The same restoration elsewhere: as a command, and as a program. */
import facts from "virtual:facts";
import { KERNEL_SIZE, MIDDLE } from "../engine/settings.js";
import * as state from "../state.js";
import { network } from "./network.js";
import { pictureName } from "./subject.js";

/** A word of a shell: names of files may hold anything. */
const quoted = (text: string) => (/^[\w.,/-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);

export const needsMask = () =>
  state.task.value === "mask" || (state.task.value === "box" && state.box.value.join() !== MIDDLE);

/** The command line's name of the task, and its options. */
function task(): string[] {
  switch (state.task.value) {
    case "mask":
      return ["box_inpainting", "--mask", "mask.png"];
    case "box":
      return needsMask() ? ["box_inpainting", "--mask", "mask.png"] : ["box_inpainting"];
    case "blur":
      return ["gaussian_deblur_circ", "--std", String(state.std.value)];
    case "motion":
      return [
        "motion_deblur_circ",
        "--intensity",
        String(state.intensity.value),
        "--kernel-seed",
        String(state.path.value),
      ];
    case "super":
      return ["super_resolution", "--factor", String(state.factor.value)];
    case "phase":
      return ["phase_retrieval", "--oversample", String(state.oversample.value)];
  }
}

/** `ncvsd-gpu restore` with these choices gives the same samples. */
export function command(): string {
  const picture = state.subject.value;
  const data = picture.kind === "own" ? ["--data", "picture.png"] : ["--images", String(picture.index)];
  const more = [
    ...(state.sigmaY.value === 0.05 ? [] : ["--sigma-y", String(state.sigmaY.value)]),
    ...(state.seed.value === 0 ? [] : ["--seed", String(state.seed.value)]),
    ...(state.levels.value === 50 ? [] : ["--steps", String(state.levels.value)]),
    ...(state.label.value < 0 ? [] : ["--class", String(state.label.value)]),
    ...(network.value ? ["--net", network.value.name] : []),
  ];
  const words = [
    "npx",
    "ncvsd-gpu",
    "restore",
    "--task",
    ...task(),
    ...data,
    "--runs",
    String(state.runs.value),
    ...more,
  ];
  return words.map(quoted).join(" ");
}

function operator(): string {
  switch (state.task.value) {
    case "mask":
    case "box":
      return needsMask()
        ? "operators.inpainting(gpu, { shape, mask })"
        : `operators.inpainting(gpu, { shape, box: [${MIDDLE.replaceAll(",", ", ")}] })`;
    case "blur":
      return `operators.gaussianBlur(gpu, { shape, kernelSize: ${KERNEL_SIZE}, std: ${state.std.value} })`;
    case "motion":
      return `operators.motionBlur(gpu, { shape, kernelSize: ${KERNEL_SIZE}, intensity: ${state.intensity.value}, seed: ${state.path.value} })`;
    case "super":
      return `operators.superResolution(gpu, { shape, factor: ${state.factor.value} })`;
    case "phase":
      return `operators.phaseRetrieval(gpu, { shape, pad: ${4 * state.oversample.value} })`;
  }
}

/** The command line's settings of the task, as they are passed to `solveInverse`. */
function settings(): string[] {
  const { beta, sigmaY, ula, ...rest } = facts.tasks[task()[0]!]!;
  const numbers = Object.entries({ ...rest, steps: state.levels.value }).map(([name, value]) => `${name}: ${value}`);
  const langevin = ula && `{ steps: ${ula.steps}, c1: ${ula.c1}, c2: ${ula.c2} }`;
  return [
    `${numbers.join(", ")},`,
    `beta: ${beta} * (sigmaY / ${sigmaY}) ** 2,`,
    ...(langevin ? [`...(operator.sampleProximal ? {} : { ula: ${langevin} }),`] : []),
  ];
}

/** A program that draws the same samples: of picture.png and mask.png, which the page saves. */
export function code(): string {
  const own = network.value ? `, ${JSON.stringify(network.value.name)}` : "";
  const masked = needsMask()
    ? `const mask = (await fromImage(await readFile("mask.png"), { shape })).map((v) => (v > 0 ? 1 : 0));\n`
    : "";
  const label = state.label.value < 0 ? "" : `\n  labels: [${state.label.value}],`;
  return `import { readFile } from "node:fs/promises";
import { fromImage, loadModel, normals, openGpu, operators, solveInverse, streamSeed } from "ncvsd-gpu";

const gpu = await openGpu();
const model = await loadModel(gpu${own});
const { shape } = model;
const truth = await fromImage(await readFile("picture.png"), { shape });
${masked}const operator = ${operator()};
const sigmaY = ${state.sigmaY.value};
// A seed of its own for each stream of noise, as on the page and on the command line.
const seedOf = (stream) => streamSeed(${state.seed.value}, "${pictureName.value}", stream);
const noise = normals(seedOf("measurement"), 0, operator.measurementShape.reduce((a, b) => a * b));
const measurement = (await operator.forward(truth)).map((v, i) => v + sigmaY * noise[i]);
const runs = ${state.runs.value};
const { images } = await solveInverse(model, {
  operator, measurement, sigmaY, runs,
  seeds: Array.from({ length: runs }, (_, run) => seedOf(String(run))),
  ${settings().join("\n  ")}${label}
});
gpu.close();
`;
}
