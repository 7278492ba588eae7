// `npm test`: does all its own set-up, then runs the tests. Further arguments go to vitest: npm test -- test/setup.test.ts
// NCVSD_TEST_REPORT=FILE writes a JSON report there as well.
import { ensureAdapter, fail, prepare, run, say, setUpLibrary } from "./lib.mjs";

try {
  await prepare();
  await ensureAdapter();
  const env = { ...process.env };
  try {
    await (await setUpLibrary()).ensureSwiftShader({ log: say });
  } catch (error) {
    // The tests that need the second driver read this and say so.
    env.NCVSD_NO_SWIFTSHADER = error.message;
    say(`SwiftShader, the second driver of the tests, is not to be had: ${error.message}`);
  }
  const report = process.env.NCVSD_TEST_REPORT;
  const reporters = report ? ["--reporter=default", "--reporter=json", `--outputFile.json=${report}`] : [];
  const vitest = ["node_modules/vitest/vitest.mjs", "run", ...reporters, ...process.argv.slice(2)];
  process.exitCode = await run(process.execPath, vitest, { env });
} catch (error) {
  fail(error);
}
