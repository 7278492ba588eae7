import type { Command } from "commander";
import { registerDiscoCompare } from "./compare.js";
import { registerDiscoSample } from "./sample.js";
import { registerDiscoTrain } from "./train.js";

export function registerDisco(program: Command): void {
  const disco = program
    .command("disco")
    .summary("diffusion-free score models of tables: exact conditionals")
    .description(
      "Diffusion-free score matching (DISCO): one energy of a table's columns, of which any columns given the others can be sampled.",
    );
  for (const register of [registerDiscoTrain, registerDiscoSample, registerDiscoCompare])
    register(disco).exitOverride().copyInheritedSettings(program);
}
