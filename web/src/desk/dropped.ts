/** Choices from the text chunks of a PNG: of this page, or of the command line. In a chunk of its own. */
import * as state from "../state.js";

type Texts = Readonly<Record<string, string>>;

/** What `restore` notes of a task, in the page's terms; undefined: the page has no such task, or not the file that it took. */
function taskOf(o: Readonly<Record<string, unknown>>): Record<string, string> | undefined {
  switch (o.task) {
    case "box_inpainting":
      return Array.isArray(o.box) ? { task: "box", box: o.box.join() } : undefined;
    case "gaussian_deblur_circ":
      return { task: "blur", std: String(o.std) };
    case "motion_deblur_circ":
      return { task: "motion", intensity: String(o.intensity), path: String(o.kernelSeed) };
    case "super_resolution":
      return { task: "super", factor: String(o.factor) };
    case "phase_retrieval":
      return { task: "phase", oversample: String(Number(o.pad) / 4) };
    default:
      return undefined;
  }
}

/** A file may say anything. */
function objectOf(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

function choicesOf(text: Texts): Record<string, string> | undefined {
  const [options, seed] = [text["ncvsd-gpu:options"], text["ncvsd-gpu:seed"]];
  if (options === undefined || seed === undefined) return undefined;
  const o = objectOf(options);
  if (!o) return undefined;
  const label = text["ncvsd-gpu:class"] ?? "-1";
  if (o.command !== "restore") {
    const ts = Array.isArray(o.ts) ? { ts: o.ts.join() } : {};
    return { "made-seed": seed, "made-class": label, "made-n": "1", zeta: String(o.zeta ?? 1), ...ts };
  }
  const task = taskOf(o);
  const place = /^0000(\d\d)$/.exec(text["ncvsd-gpu:image"] ?? "")?.[1];
  if (!task || place === undefined) return undefined;
  const levels = (o.settings as { steps?: unknown } | undefined)?.steps;
  const run = { noise: String(o.sigmaY), seed: String(o.seed), n: String(o.runs), levels: String(levels ?? 50) };
  return { ...task, ...run, picture: String(Number(place)), class: label };
}

/** @returns what was done, in a sentence; undefined: these chunks say nothing that the page understands */
export function takeTexts(text: Texts): string | undefined {
  const desk = text["ncvsd-gpu:desk"];
  const choices = desk ?? choicesOf(text);
  if (choices === undefined) return undefined;
  state.take(new URLSearchParams(choices).toString());
  return "The settings of this PNG are in the page.";
}
