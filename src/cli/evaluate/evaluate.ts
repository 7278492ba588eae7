import type { Command } from "commander";
import { registerEvaluateFd } from "./fd.js";
import { registerEvaluateImages } from "./images.js";
import { registerEvaluateMerge } from "./merge.js";
import { registerEvaluateReport } from "./report.js";
import { registerEvaluateStats } from "./stats.js";
import { registerEvaluateSteps } from "./steps.js";

export function registerEvaluate(program: Command): void {
  const evaluate = program
    .command("evaluate")
    .summary("measure images, or a checkpoint against reference statistics")
    .description(
      "Measures images: PSNR and SSIM between folders, and the Frechet distance of a checkpoint's images to reference statistics, " +
        "on one machine or in shards on many.",
    );
  for (const register of [
    registerEvaluateFd,
    registerEvaluateMerge,
    registerEvaluateImages,
    registerEvaluateStats,
    registerEvaluateReport,
    registerEvaluateSteps,
  ])
    register(evaluate).exitOverride().copyInheritedSettings(program);
}
