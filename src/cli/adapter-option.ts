import type { Command } from "commander";

/** `--adapter`, of every command that has a GPU. */
export function addAdapterOption(command: Command): Command {
  return command.option("--adapter <name>", "the GPU adapter: part of its name, or its number in the list of `doctor`");
}
