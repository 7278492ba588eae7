import type { Command } from "commander";
import { registerEvaluateCalc } from "./calc.js";
import { registerEvaluateFd } from "./fd.js";
import { registerEvaluateImages } from "./images.js";
import { registerEvaluateKid } from "./kid.js";
import { registerEvaluateMerge } from "./merge.js";
import { registerEvaluateReport } from "./report.js";
import { registerEvaluateRef, registerEvaluateStats } from "./stats.js";
import { registerEvaluateSteps } from "./steps.js";

export function registerEvaluate(program: Command): void {
  const evaluate = program
    .command("evaluate")
    .summary("measure images, or a checkpoint against reference statistics")
    .description(
      "Measures images: PSNR and SSIM between folders, and Frechet distances (FID, FD-DINOv2, or by a small network) of a checkpoint's " +
        "images or of stored ones to reference statistics, on one machine or in shards on many.",
    );
  for (const register of [
    registerEvaluateFd,
    registerEvaluateCalc,
    registerEvaluateRef,
    registerEvaluateKid,
    registerEvaluateMerge,
    registerEvaluateImages,
    registerEvaluateStats,
    registerEvaluateReport,
    registerEvaluateSteps,
  ])
    register(evaluate).exitOverride().copyInheritedSettings(program);
}
