import { Argument, type Command, type Option } from "commander";
import { PROFILE_NAMES } from "../gpu/profiles.js";
import { networkPresets } from "../networks/edm2/presets.js";
import { published } from "../networks/edm2/published.js";
import { posteriorSamplers } from "../sample/posterior/samplers.js";
import { distillationPresets } from "../train/distillation-presets.js";
import { trainingPresets } from "../train/presets.js";
import { TASKS } from "./restore/task-flags.js";

/** What may follow a command, by the names that lead to it. */
interface Node {
  readonly path: readonly string[];
  readonly command: Command;
}

function nodesOf(command: Command, path: readonly string[] = []): Node[] {
  return [{ path, command }, ...command.commands.flatMap((sub) => nodesOf(sub, [...path, sub.name()]))];
}

const shown = (command: Command): Option[] => command.options.filter((option) => option.long && !option.hidden);

/** Values of options that check them by themselves, of one command or of all. */
const VALUES: Readonly<Record<string, readonly string[]>> = {
  "--precision": ["f32", "f16", "f16-weights", "auto"],
  "--task": TASKS,
  "--as": PROFILE_NAMES,
  "restore --sampler": Object.keys(posteriorSamplers),
  "sample --preset": [...Object.keys(published), "help"],
  "inspect --preset": [...networkPresets.map(({ name }) => name), "small-unet"],
  "train --preset": [...trainingPresets.keys()],
  "distill --preset": [...distillationPresets.keys()],
};

const valuesOf = (path: readonly string[], { long, argChoices }: Option): readonly string[] | undefined =>
  argChoices ?? VALUES[`${path.join(" ")} ${long}`] ?? VALUES[long!];

/** What may stand behind a command: those below it, or the choices of its argument. */
const wordsOf = ({ commands, registeredArguments }: Command): readonly string[] =>
  commands.length > 0 ? commands.map((sub) => sub.name()) : registeredArguments.flatMap((one) => one.argChoices ?? []);

/** In single quotes of a shell. */
const quoted = (text: string) => `'${text.replaceAll("'", "'\\''")}'`;

/** Names of commands, options behind a dash, values of options with a choice; elsewhere the shell's own: files. */
function bashScript(root: Command): string {
  const nodes = nodesOf(root);
  const steps = nodes.filter(({ path }) => path.length > 0).map(({ path }) => quoted(` ${path.join(" ")}`));
  const names = nodes
    .filter(({ command }) => wordsOf(command).length > 0)
    .map(
      ({ path, command }) =>
        `    ${quoted(path.map((p) => ` ${p}`).join(""))}) words=${quoted(wordsOf(command).join(" "))} ;;`,
    );
  const options = nodes.map(({ path, command }) => {
    const all = [...shown(command).map(({ long }) => long), "--help"].join(" ");
    return `      ${quoted(path.map((p) => ` ${p}`).join(""))}) words=${quoted(all)} ;;`;
  });
  const choices = nodes.flatMap(({ path, command }) =>
    shown(command).flatMap((option) => {
      const values = valuesOf(path, option);
      if (!values) return [];
      const place = `${path.map((p) => ` ${p}`).join("")} ${option.long}`;
      return [`    ${quoted(place)}) words=${quoted(values.join(" "))} ;;`];
    }),
  );
  return `_ncvsd_gpu() {
  local cur=\${COMP_WORDS[COMP_CWORD]} prev=\${COMP_WORDS[COMP_CWORD - 1]} at="" words="" i
  for ((i = 1; i < COMP_CWORD; i++)); do
    case "$at \${COMP_WORDS[i]}" in
      ${steps.join(" | ")}) at="$at \${COMP_WORDS[i]}" ;;
    esac
  done
  case "$at" in
${names.join("\n")}
  esac
  if [[ $cur == -* ]]; then
    case "$at" in
${options.join("\n")}
    esac
  fi
  case "$at $prev" in
${choices.join("\n")}
  esac
  COMPREPLY=($(compgen -W "$words" -- "$cur"))
}
complete -o default -F _ncvsd_gpu ncvsd-gpu
`;
}

/** As much as stands beside an option in a list. */
const brief = (text: string) => (text.length <= 60 ? text : `${text.slice(0, 59)}…`);

function fishScript(root: Command): string {
  const lines = nodesOf(root).flatMap(({ path, command }) => {
    const here = path.map((name) => `__fish_seen_subcommand_from ${name}`).join("; and ");
    const subs = command.commands.map((sub) => sub.name()).join(" ");
    const before = here === "" ? "__fish_use_subcommand" : `${here}; and not __fish_seen_subcommand_from ${subs}`;
    const when = (condition: string) => (condition === "" ? "" : ` -n ${quoted(condition)}`);
    return [
      ...command.commands.map(
        (sub) =>
          `complete -c ncvsd-gpu -f${when(before)} -a ${sub.name()} -d ${quoted(sub.summary() || sub.description())}`,
      ),
      ...(command.commands.length === 0 && wordsOf(command).length > 0
        ? [`complete -c ncvsd-gpu -f${when(here)} -a ${quoted(wordsOf(command).join(" "))}`]
        : []),
      ...shown(command).map((option) => {
        const { long, description, required, optional } = option;
        const known = valuesOf(path, option);
        const values = known ? ` -x -a ${quoted(known.join(" "))}` : required || optional ? " -r" : "";
        return `complete -c ncvsd-gpu${when(here)} -l ${long!.slice(2)}${values} -d ${quoted(brief(description))}`;
      }),
    ];
  });
  return `${lines.join("\n")}\n`;
}

/** Its parent has to know all commands. */
export function registerCompletion(program: Command): void {
  program
    .command("completion")
    .summary("print a script with which the shell completes commands")
    .description("Prints a script with which a shell completes commands, options and their choices. It starts nothing.")
    .addArgument(new Argument("<shell>", "which one").choices(["bash", "zsh", "fish"]))
    .addHelpText(
      "after",
      [
        "",
        "Examples:",
        "  ncvsd-gpu completion fish > ~/.config/fish/completions/ncvsd-gpu.fish",
        '  eval "$(ncvsd-gpu completion bash)"     # in ~/.bashrc; zsh alike',
      ].join("\n"),
    )
    .action((shell: string) => {
      const script = shell === "fish" ? fishScript(program) : bashScript(program);
      const zsh = "autoload -U +X compinit && compinit\nautoload -U +X bashcompinit && bashcompinit\n";
      process.stdout.write(`${shell === "zsh" ? zsh : ""}${script}`);
    });
}
