// `npm start`: from a fresh clone to images. Installs dependencies, builds, finds or sets up an adapter, then does the
// main job. What is there already is not done again. Further arguments go to the main job: npm start -- --seeds 0-3
import { ensureAdapter, fail, prepare, run } from "./lib.mjs";

const MAIN_JOB = ["dist/src/cli/main.js", "demo", "--outdir", "out"];

try {
  await prepare();
  await ensureAdapter();
  process.exitCode = await run(process.execPath, [...MAIN_JOB, ...process.argv.slice(2)]);
} catch (error) {
  fail(error);
}
