// `npm run fuzz [-- --runs 20000 --seed 1 --target png --mutant 42]`: changed files of every kind that is read, in process.
// `npm test` runs the same with fewer mutants. A failure prints the command that repeats it alone.
import { parseArgs } from "node:util";
import { fail, prepare, run, say } from "./lib.mjs";

try {
  const { values } = parseArgs({
    options: {
      runs: { type: "string", default: "20000" },
      seed: { type: "string", default: String(1 + Math.floor(Math.random() * 1e6)) },
      target: { type: "string" },
      mutant: { type: "string" },
    },
  });
  for (const name of ["runs", "seed", "mutant"]) {
    if (values[name] !== undefined && !/^\d{1,9}$/.test(values[name])) throw new Error(`--${name} is not a number`);
  }
  await prepare();
  const env = { ...process.env, NCVSD_FUZZ_RUNS: values.runs, NCVSD_FUZZ_SEED: values.seed };
  if (values.target !== undefined) env.NCVSD_FUZZ_TARGET = values.target;
  if (values.mutant !== undefined) env.NCVSD_FUZZ_MUTANT = values.mutant;
  const what = values.mutant === undefined ? `${values.runs} mutants` : `mutant ${values.mutant}`;
  say(`${what} of seed ${values.seed}`);
  process.exitCode = await run(process.execPath, ["node_modules/vitest/vitest.mjs", "run", "test/fuzz"], { env });
} catch (error) {
  fail(error);
}
