import { bad, orAll, quote } from "../../errors.js";
import type { TaskFlag } from "../../operators/tasks/task.js";
import { type TaskName, tasks } from "../../operators/tasks.js";
import { parseInteger, parseNumber } from "../../runs/args.js";

export const TASKS = Object.keys(tasks) as readonly TaskName[];

/** What the command line says about the operator; every option of a task beside it is text, under the option's key. */
export interface TaskFlags {
  readonly task?: string;
  readonly operator?: string;
}

/** Every option of every task once, in the tasks' order; where tasks mean different things by it, the help of each. */
export const TASK_FLAGS: ReadonlyMap<string, Pick<TaskFlag, "option" | "help">> = collected();

function collected() {
  const all = new Map<string, { option: string; helps: Set<string> }>();
  for (const [key, { option, help }] of TASKS.flatMap((task) => Object.entries(tasks[task].flags))) {
    if (!all.has(key)) all.set(key, { option, helps: new Set() });
    all.get(key)!.helps.add(help);
  }
  return new Map(Array.from(all, ([key, { option, helps }]) => [key, { option, help: [...helps].join("; ") }]));
}

const flagName = (key: string) => TASK_FLAGS.get(key)!.option.split(" ")[0]!;
/** "--a, --b and --c" */
const enumerated = (names: readonly string[]) =>
  names.length < 2 ? names.join() : `${names.slice(0, -1).join(", ")} and ${names.at(-1)}`;

type OptionValue = number | string | readonly number[];

/** The task that the command line names, and its options: numbers, words, and the paths of files. */
export interface AskedTask {
  /** Undefined: `--operator`. */
  readonly name: TaskName | undefined;
  readonly options: Readonly<Record<string, OptionValue>>;
}

/** `--task` and its options, checked; no option of another task may be given. */
export function parseTaskFlags(flags: TaskFlags): AskedTask {
  const { task, operator } = flags;
  if (task !== undefined && operator !== undefined)
    throw bad("--task and --operator exclude each other: the file is the task");
  if (task === undefined && operator === undefined)
    throw bad(`name a task with --task (${TASKS.join(", ")}) or a file with --operator`);
  const name = TASKS.find((known) => known === task);
  if (task !== undefined && name === undefined) throw bad(`--task ${quote(task)} is not known: ${orAll(task, TASKS)}`);
  const texts = flags as Readonly<Record<string, string | undefined>>;
  const options: Record<string, OptionValue> = {};
  for (const key of TASK_FLAGS.keys()) {
    const text = texts[key];
    if (text === undefined) continue;
    const owners = TASKS.filter((t) => key in tasks[t].flags);
    if (!name || !owners.includes(name))
      throw bad(`${flagName(key)} is for ${owners.join(" and ")}, not for ${name ?? "--operator"}: leave it out`);
    const flag = tasks[name].flags[key]!;
    const { excludes = [] } = flag;
    if (excludes.some((other) => texts[other] !== undefined))
      throw bad(`${flagName(key)} names the ${key}: leave ${enumerated(excludes.map(flagName))} out`);
    options[key] = parsed(flag, text);
  }
  return { name, options };
}

function parsed({ option, value }: TaskFlag, text: string): OptionValue {
  const name = option.split(" ")[0]!;
  if ("number" in value) return parseNumber(text, name, value.number);
  if ("integer" in value) return parseInteger(text, name, value.integer);
  if ("file" in value) return text;
  if ("numbers" in value) {
    const numbers = text.split(",").map((part) => parseNumber(part, name));
    const { count } = value.numbers;
    if (count !== undefined && numbers.length !== count)
      throw bad(`${name} "${text}": must be ${count} numbers with commas between them`);
    return numbers;
  }
  const found = value.choice.find((one) => String(one) === text);
  if (found === undefined)
    throw bad(`${name} "${text}": must be ${value.choice.slice(0, -1).join(", ")} or ${value.choice.at(-1)}`);
  return found;
}
