import type { Command } from "commander";
import { registerMeasureImport } from "./import.js";

export function registerMeasure(program: Command): void {
  const measure = program
    .command("measure")
    .summary("bring measurements of other programs into a form that `restore` reads")
    .description("Brings measurements from HDF5 and TIFF files into safetensors files for `restore --measurement`.");
  registerMeasureImport(measure).exitOverride().copyInheritedSettings(program);
}
