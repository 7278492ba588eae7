/** The same restoration elsewhere: as a command, and as a program. */
import { KERNEL_SIZE, MIDDLE } from "../engine/settings.js";
import * as state from "../state.js";

const quoted = (text: string) => (/^[\w.,/-]+$/.test(text) ? text : `"${text}"`);

export const needsMask = () =>
  state.task.value === "mask" || (state.task.value === "box" && state.box.value.join() !== MIDDLE);

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
        ? "operators.inpainting(gpu, { shape, mask }) // 1024 values, 1 where the picture is known"
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

const PRESET = {
  ...{ mask: "box_inpainting", box: "box_inpainting", blur: "gaussian_deblur_circ", motion: "motion_deblur_circ" },
  ...{ super: "super_resolution", phase: "phase_retrieval" },
};

export function code(): string {
  const { value: name } = state.task;
  const preset = `presets.${PRESET[name]}`;
  return `import { fromImage, loadModel, normals, openGpu, operators, presets, solveInverse } from "ncvsd-gpu";

const gpu = await openGpu();
const model = await loadModel(gpu);
const { shape } = model;
const truth = await fromImage(bytesOfAPicture, { shape });
const operator = ${operator()};
const sigmaY = ${state.sigmaY.value};
const noise = normals(${state.seed.value}, 0, operator.measurementShape.reduce((a, b) => a * b));
const measurement = (await operator.forward(truth)).map((v, i) => v + sigmaY * noise[i]);
const { images } = await solveInverse(model, {
  ...${preset},
  beta: ${preset}.beta * (sigmaY / ${preset}.sigmaY) ** 2,
  ...{ operator, measurement, sigmaY, runs: ${state.runs.value}, steps: ${state.levels.value} },${
    state.label.value < 0 ? "" : `\n  labels: [${state.label.value}],`
  }
});
gpu.close();
`;
}
