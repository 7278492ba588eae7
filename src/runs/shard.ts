import { bad, quote } from "../errors.js";

/** One of `count` equal parts of a run. */
export interface Shard {
  /** 1-based, as it is written: 1/4 is the first of four. */
  readonly index: number;
  readonly count: number;
}

export const SHARD_HELP =
  "do part i of n (1/4 to 4/4) of the run; without a value, or as auto/n, the scheduler's array job says which";

type Env = Readonly<Record<string, string | undefined>>;

/** The variables by which a scheduler tells a task its place. */
interface Scheduler {
  readonly name: string;
  readonly index: string;
  /** Number of the first task: a variable, or the scheduler's fixed one. */
  readonly first: string | number;
  readonly step?: string;
  /** Absent: the scheduler does not tell. */
  readonly count?: string;
  /** The last task's number, where there is no count. */
  readonly last?: string;
}

const SCHEDULERS: readonly Scheduler[] = [
  {
    name: "Slurm",
    index: "SLURM_ARRAY_TASK_ID",
    first: "SLURM_ARRAY_TASK_MIN",
    step: "SLURM_ARRAY_TASK_STEP",
    count: "SLURM_ARRAY_TASK_COUNT",
    last: "SLURM_ARRAY_TASK_MAX",
  },
  // Kubernetes tells no task how many there are: the manifest repeats `completions` in this variable.
  { name: "Kubernetes", index: "JOB_COMPLETION_INDEX", first: 0, count: "JOB_COMPLETIONS" },
  { name: "AWS Batch", index: "AWS_BATCH_JOB_ARRAY_INDEX", first: 0, count: "AWS_BATCH_JOB_ARRAY_SIZE" },
  {
    name: "Grid Engine",
    index: "SGE_TASK_ID",
    first: "SGE_TASK_FIRST",
    step: "SGE_TASK_STEPSIZE",
    last: "SGE_TASK_LAST",
  },
  { name: "Cloud Run", index: "CLOUD_RUN_TASK_INDEX", first: 0, count: "CLOUD_RUN_TASK_COUNT" },
  { name: "GNU parallel", index: "PARALLEL_SEQ", first: 1 },
];

/**
 * `--shard`: `2/4`, or (no value, `auto`, `auto/4`) what the scheduler's variables say.
 * @returns undefined where the option is absent: the whole run
 * @throws NcvsdError BAD_ARGUMENT when it is no such thing, no scheduler's variables are there, or they do not fit together
 */
export function chooseShard(option: string | true | undefined, env: Env = process.env): Shard | undefined {
  if (option === undefined) return undefined;
  const text = option === true ? "auto" : option.trim();
  const auto = /^auto(?:\/(\d+))?$/i.exec(text);
  if (auto) return fromScheduler(env, auto[1] === undefined ? undefined : Number(auto[1]));
  const match = /^(\d+)\s*\/\s*(\d+)$/.exec(text);
  if (!match)
    throw bad(`--shard ${quote(text)}: must be a part and the number of parts, such as 1/4, or auto in an array job`);
  return checked({ index: Number(match[1]), count: Number(match[2]) }, `--shard ${text}`);
}

function checked(shard: Shard, what: string): Shard {
  const { index, count } = shard;
  if (count < 1 || count > 1_000_000) throw bad(`${what}: the number of shards must be from 1 to 1000000`);
  if (index < 1 || index > count)
    throw bad(`${what}: shards are counted from 1, so the part must be from 1/${count} to ${count}/${count}`);
  return shard;
}

function fromScheduler(env: Env, given: number | undefined): Shard {
  const found = SCHEDULERS.find(({ index }) => env[index] !== undefined && env[index] !== "");
  if (!found) {
    const names = SCHEDULERS.map(({ name, index }) => `${name} (${index})`).join(", ");
    throw bad(
      `--shard auto: this is no task of an array job that is known (${names}): write --shard 1/4, for instance`,
    );
  }
  const read = (variable: string): number => {
    const text = env[variable];
    if (text === undefined || !/^\d+$/.test(text))
      throw bad(`--shard auto: ${variable} of ${found.name} is ${text === undefined ? "not set" : quote(text)}`);
    return Number(text);
  };
  const step = found.step !== undefined && env[found.step] !== undefined ? Math.max(1, read(found.step)) : 1;
  const first = typeof found.first === "number" ? found.first : read(found.first);
  const place = (read(found.index) - first) / step;
  const told = (): number | undefined => {
    if (found.count !== undefined && env[found.count] !== undefined) return read(found.count);
    return found.count === undefined && found.last !== undefined ? (read(found.last) - first) / step + 1 : undefined;
  };
  const count = given ?? told();
  if (count === undefined) {
    const variable = found.count === undefined ? "" : ` (or set ${found.count})`;
    throw bad(
      `--shard auto: ${found.name} does not tell how many tasks there are: write --shard auto/8 for eight${variable}`,
    );
  }
  const where = `--shard auto: ${found.index}=${env[found.index]} of ${found.name}`;
  // A list such as 1,3,7 is no range: places in it cannot be told from the numbers.
  const last = found.last !== undefined && env[found.last] !== undefined ? read(found.last) : undefined;
  const gaps = given === undefined && last !== undefined && (last - first) / step + 1 !== count;
  if (gaps || !Number.isInteger(place))
    throw bad(`${where}: its ${count} tasks are no plain range of numbers: use --array=0-${count - 1}, or --shard i/n`);
  return checked({ index: place + 1, count }, `${where}, task ${place + 1} of ${count}`);
}

/** The part's items of a run of `total`: from `start` up to `end`, contiguous and as equal as can be. */
export function shardRange(total: number, { index, count }: Shard): { readonly start: number; readonly end: number } {
  return { start: Math.floor((total * (index - 1)) / count), end: Math.floor((total * index) / count) };
}
