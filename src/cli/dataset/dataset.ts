import type { Command } from "commander";
import { registerDatasetConvert } from "./convert.js";
import { registerDatasetEncode } from "./encode.js";
import { registerDatasetInfo } from "./info.js";

export function registerDataset(program: Command): void {
  const dataset = program
    .command("dataset")
    .summary("make data sets for training, and look at them")
    .description(
      "Makes data sets of EDM2's layout from folders, zip archives, IDX, CIFAR and npz files, encodes them to latents, and looks at them.",
    );
  for (const register of [registerDatasetConvert, registerDatasetEncode, registerDatasetInfo])
    register(dataset).exitOverride().copyInheritedSettings(program);
}
