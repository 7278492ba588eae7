import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { adapter, cli, scratch } from "../support/cli.js";

const place = scratch();
const small = ["--width", "32", "--batch", "64", ...adapter];

it("disco train: a table's network, of which disco sample gives a column by its name", async () => {
  const [table, outdir] = [place("table.csv"), place("run")];
  const rows = Array.from({ length: 200 }, (_, i) => `${100 + Math.sin(i)},${Math.sin(i) * 5 + Math.sin(7 * i)}`);
  writeFileSync(table, `size,price\n${rows.join("\n")}\n`);
  const args = ["disco", "train", "--data", table, "--outdir", outdir, "--steps", "6", ...small];
  const first = await cli([...args, "--json"]);
  expect(first.stderr).toBe("");
  expect(JSON.parse(first.stdout)).toMatchObject({
    steps: 6,
    dims: 2,
    rows: 200,
    file: join(outdir, "disco.safetensors"),
  });
  const bytes = readFileSync(join(outdir, "disco.safetensors"));
  // The run is over: nothing is left to do.
  const again = await cli(args);
  expect(again.code).toBe(0);
  expect(again.stderr).toContain("going on after 6 steps");
  expect(readFileSync(join(outdir, "disco.safetensors"))).toEqual(bytes);
  const other = await cli([...args, "--seed", "1"]);
  expect([other.code, other.stderr]).toEqual([2, expect.stringContaining("trained with seed 0, not 1")]);
  const model = join(outdir, "disco.safetensors");
  const sampled = await cli([
    "disco",
    "sample",
    "--model",
    model,
    "--given",
    "size=100.5",
    "--n",
    "8",
    "--out",
    place("s.npy"),
    "--json",
    ...adapter,
  ]);
  expect(JSON.parse(sampled.stdout)).toMatchObject({ columns: ["price"] });
});

// On Windows kill() ends a process whatever the signal.
it.skipIf(process.platform === "win32")(
  "disco train: a signal leaves a state, and the same command goes on",
  async () => {
    const outdir = place("stopped");
    const args = ["disco", "train", "--data", "moons", "--outdir", outdir, "--steps", "1000000", ...small];
    // Not before the run listens: it tells of its first step. Once only: a second signal ends it the hard way.
    const stopSoon = () =>
      cli([...args, "--status", "1"], {
        onStart(child) {
          let seen = "";
          child.stderr!.on("data", (text: string) => {
            const before = /\d steps, loss/.test(seen);
            seen += text;
            if (!before && /\d steps, loss/.test(seen)) child.kill("SIGINT");
          });
        },
      });
    const first = await stopSoon();
    expect(first.code).toBe(130);
    expect(first.stderr).toMatch(/Stopped after \d+ steps; the same command goes on/);
    expect(existsSync(join(outdir, "state", "state.json"))).toBe(true);
    const steps = Number(/Stopped after (\d+) steps/.exec(first.stderr)![1]);
    const second = await stopSoon();
    expect(second.stderr).toContain(`going on after ${steps} steps`);
    expect(second.code).toBe(130);
  },
);

it("disco train: what cannot be right is said before a device is opened", async () => {
  const run = (...more: string[]) => cli(["disco", "train", "--outdir", place("none"), ...more]);
  for (const [more, say] of [
    [["--data", "gmm:1"], "a mixture has 2 to 256 coordinates"],
    [["--data", "moons", "--dims", "3"], "has 2 columns, not the 3 of --dims"],
    [["--data", "moons", "--weight", "2"], "1/sigma^2"],
    [["--data", place("none.csv")], "none.csv"],
  ] as const) {
    const { code, stderr } = await run(...more);
    expect([code === 0, stderr]).toEqual([false, expect.stringContaining(say)]);
  }
});

it("disco train: of a network that cannot be made no folder stays", async () => {
  const above = place("above");
  const args = ["--data", "moons", "--outdir", join(above, "run"), "--width", "33", ...adapter];
  const { code, stderr } = await cli(["disco", "train", ...args]);
  expect([code, stderr]).toEqual([2, expect.stringContaining("width must be even")]);
  expect(existsSync(above)).toBe(false);
});
