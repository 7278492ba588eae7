#!/usr/bin/env node
import { Command, CommanderError } from "commander";
import { NcvsdError, sentenceOf } from "../errors.js";
import { version } from "../runs/package.js";
import { failure, guardStreams, styled } from "../runs/terminal.js";
import { registerCommands } from "./commands.js";
import { guardPaths } from "./parts/paths.js";

const USAGE_ERROR = 2;
const FAILURE = 1;

const ENVIRONMENT = [
  "",
  "Environment variables:",
  "  NCVSD_MODELS           folder of fetched networks, or `off`",
  "  NCVSD_OFFLINE          1: ask no server for networks",
  "  NCVSD_TUNING           off: leave the choices of `bench --tune` unused",
  "  NCVSD_NO_SETUP         1: install no adapter",
  "  NCVSD_DRIVER_WARNINGS  1: show what Dawn says of a driver's limits",
  "  HF_ENDPOINT, HF_TOKEN  address of the hub behind hf://, and who asks",
  "  XDG_CACHE_HOME         where caches are (default: ~/.cache)",
  "  VK_DRIVER_FILES        manifests of the Vulkan drivers to use",
  "  NO_COLOR, FORCE_COLOR  no colours; colours also where no terminal is",
  "  SLURM_ARRAY_TASK_ID    and other schedulers' variables: see --shard",
].join("\n");

/** The command line's tree of commands. */
async function createProgram(): Promise<Command> {
  const program = new Command("ncvsd-gpu")
    .description(
      "Few-step diffusion sampling and plug-and-play inverse problems on any GPU: NCVSD and EDM2 networks in hand-written WGSL.",
    )
    .version(version)
    .configureHelp({
      helpWidth: Math.min(process.stdout.columns || 80, 100),
      subcommandTerm: (command) => command.name(),
    })
    .configureOutput({
      outputError: (text, write) => write(text.replace(/^error:/, styled("failure", "ncvsd-gpu:", process.stderr))),
    })
    .addHelpText("after", ENVIRONMENT)
    .exitOverride()
    .showHelpAfterError("(--help shows the options)");
  await registerCommands(program, process.argv[2]);
  program.hook("preAction", (_, command) => guardPaths(command));
  const complete = (parent: Command) => {
    for (const command of parent.commands) {
      // Options of subcommands inherit the handling of errors, but not exitOverride.
      command.exitOverride().copyInheritedSettings(parent);
      const has = command.options.some((option) => option.long === "--verbose");
      if (!has && command.commands.length === 0) command.option("--verbose", "say more: stacks of errors");
      complete(command);
    }
  };
  complete(program);
  return program;
}

/** What the file system or the GPU refused is no mistake in the command. */
function exitCodeOf(error: unknown): number {
  if (!(error instanceof NcvsdError) || error.code !== "BAD_ARGUMENT") return FAILURE;
  const cause = error.cause as NodeJS.ErrnoException | undefined;
  const refused = typeof cause?.errno === "number" || cause?.constructor?.name.startsWith("GPU");
  return refused ? FAILURE : USAGE_ERROR;
}

async function main(): Promise<void> {
  guardStreams();
  try {
    await (await createProgram()).parseAsync();
  } catch (error) {
    if (error instanceof CommanderError) {
      process.exitCode = error.exitCode === 0 ? 0 : USAGE_ERROR;
      return;
    }
    const message = sentenceOf(error instanceof Error ? error.message : String(error));
    const verbose = process.argv.includes("--verbose") && error instanceof Error;
    process.stderr.write(failure(verbose ? `${error.stack}` : message));
    process.exitCode = exitCodeOf(error);
  }
}

await main();
