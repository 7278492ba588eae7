// Prints the closing line of a test run from vitest's JSON report: node scripts/closing-line.mjs report.json
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

/** `N passed, N failed`, with `, N skipped` where there are some. A file that could not even be loaded counts as a failure. */
export function closingLine(report) {
  const { numPassedTests: passed = 0, numFailedTests: failed = 0, numPendingTests = 0, numTodoTests = 0 } = report;
  const unloaded = (report.testResults ?? []).filter((f) => f.status === "failed" && f.assertionResults.length === 0);
  // An error outside of any test, or no test at all, leaves success false with nothing to count.
  const failures = Math.max(failed + unloaded.length, report.success === true ? 0 : 1);
  const skipped = numPendingTests + numTodoTests;
  return `${passed} passed, ${failures} failed${skipped > 0 ? `, ${skipped} skipped` : ""}`;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  let report = { success: false };
  try {
    report = JSON.parse(readFileSync(process.argv[2], "utf8"));
  } catch {}
  process.stdout.write(`${closingLine(report)}\n`);
}
