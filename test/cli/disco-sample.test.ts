import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { npyHeader, npyValues } from "../../src/checkpoint/npy.js";
import { adapter, cli, scratch } from "../support/cli.js";
import { fixturePath } from "../support/fixtures.js";

const place = scratch();
const model = fixturePath("disco/energy-d2k32.safetensors");

function readNpy(path: string) {
  const bytes = new Uint8Array(readFileSync(path));
  const header = npyHeader(bytes, path);
  return { shape: header.shape, values: npyValues(bytes, header, path, new Float32Array(header.count)) };
}

describe("disco sample", () => {
  it("writes the open columns and a figure, the same again, over its own files", async () => {
    const [out, plot] = [place("samples.npy"), place("samples.svg")];
    const args = ["disco", "sample", "--model", model, "--given", "0=1.75", "--n", "300", ...adapter];
    const first = await cli([...args, "--out", out, "--plot", plot, "--json"]);
    expect(first.stderr).toBe("");
    const result = JSON.parse(first.stdout);
    expect(result).toMatchObject({ n: 300, columns: ["1"], given: { 0: 1.75 }, sampler: "smc", sigma: 0.1 });
    expect(result.evaluations).toBe(1 + 4 * result.temperatures);
    const { shape, values } = readNpy(out);
    expect(shape).toEqual([300, 1]);
    // The modes of the conditional lie at -1.5 and 1.3.
    expect(values.filter((v) => Math.abs(v + 1.5) < 0.6 || Math.abs(v - 1.2) < 0.7).length).toBeGreaterThan(270);
    expect(readFileSync(plot, "utf8")).toMatch(
      /^<svg .*data-made-by="ncvsd-gpu"[\s\S]*column 0 = 1.75[\s\S]*<path d="M/,
    );
    const again = await cli([...args, "--out", out]);
    expect([again.code, again.stdout]).toEqual([0, `${out}\n`]);
    expect(readNpy(out).values).toEqual(values);
  });

  it("the whole table, by chains and cooled", async () => {
    for (const sampler of ["hmc", "ula"]) {
      const out = place(`${sampler}.npy`);
      const options = ["--sampler", sampler, "--steps", "5", "--n", "70", "--cool", "0.07"];
      const { code } = await cli(["disco", "sample", "--model", model, ...options, "--out", out, ...adapter]);
      expect(code).toBe(0);
      expect(readNpy(out).shape).toEqual([70, 2]);
    }
  });

  const refused: [what: string, args: string[], says: RegExp][] = [
    ["a column that is not there", ["--given", "weight=3"], /has no column "weight": it has 0, 1/],
    ["a column twice", ["--given", "0=1,0=2"], /column "0" twice/],
    ["what is no number", ["--given", "0=big"], /must be a column and a number, such as 0=1.75/],
    ["all columns", ["--given", "0=1,1=1"], /leave at least one out/],
    ["a value far outside", ["--given", "0=40"], /condition 40 on coordinate 0 lies far outside/],
    [
      "another sampler's setting",
      ["--sampler", "ula", "--tau", "0.5"],
      /--tau is no setting of ula, which has --steps/,
    ],
    ["a figure of another kind", ["--plot", "a.png"], /the figure is an SVG/],
  ];
  for (const [what, args, says] of refused) {
    it(`refuses ${what}`, async () => {
      const { code, stderr } = await cli([
        "disco",
        "sample",
        "--model",
        model,
        "--out",
        place("x.npy"),
        ...args,
        ...adapter,
      ]);
      expect(stderr).toMatch(says);
      expect(code).toBe(2);
    });
  }
});
