// `npm run crash [-- --kills 50 --seed 1]`: kills of every command that writes, at changes of the file system, and what is left;
// kills of a training at random moments, and its bits. `npm test` runs the same with a few.
import { parseArgs } from "node:util";
import { ensureAdapter, fail, prepare, run, say } from "./lib.mjs";

try {
  const { values } = parseArgs({
    options: {
      kills: { type: "string", default: "50" },
      seed: { type: "string", default: String(1 + Math.floor(Math.random() * 1e6)) },
    },
  });
  for (const [name, value] of Object.entries(values)) {
    if (!/^[1-9]\d{0,8}$/.test(value)) throw new Error(`--${name} is not a number from 1 on`);
  }
  await prepare();
  await ensureAdapter();
  const env = { ...process.env, NCVSD_CRASH_KILLS: values.kills, NCVSD_CRASH_SEED: values.seed };
  say(`${values.kills} kills of every command, seed ${values.seed}`);
  const vitest = ["node_modules/vitest/vitest.mjs", "run", "test/runs/crash.test.ts", "test/cli/train.test.ts"];
  process.exitCode = await run(process.execPath, vitest, { env });
} catch (error) {
  fail(error);
}
