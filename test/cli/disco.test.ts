import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { npyHeader, npyValues } from "../../src/checkpoint/npy.js";
import { checkSampler, checkSeen, givenOf, parseGiven } from "../../src/cli/disco/model.js";
import { adapter, cli, png, scratch } from "../support/cli.js";
import { fixturePath } from "../support/fixtures.js";

const place = scratch();
const model = fixturePath("disco/energy-d2k32.safetensors");

function readNpy(path: string) {
  const bytes = new Uint8Array(readFileSync(path));
  const header = npyHeader(bytes, path);
  return { shape: header.shape, values: npyValues(bytes, header, path, new Float32Array(header.count)) };
}

describe("disco sample and compare", () => {
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
    const drawn = place("samples.png");
    const again = await cli([...args, "--out", out, "--plot", drawn]);
    expect([again.code, again.stdout]).toEqual([0, `${out}\n`]);
    // Twice the figure's size, and not one colour.
    const { width, height, text, data } = png(drawn);
    expect([width, height, text["ncvsd-gpu:figure"]]).toEqual([1120, 640, expect.any(String)]);
    expect(new Set(data).size).toBeGreaterThan(10);
    const jpeg = await cli([...args, "--out", out, "--plot", place("samples.jpg")]);
    expect([jpeg.code, jpeg.stderr]).toEqual([2, expect.stringContaining("name it .svg or .png")]);
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

  it("says in a sentence what cannot be", async () => {
    const far = await cli([
      "disco",
      "sample",
      "--model",
      model,
      "--out",
      place("x.npy"),
      "--given",
      "0=40",
      ...adapter,
    ]);
    expect(far.stderr).toMatch(/^ncvsd-gpu: sampleSmc: the condition 40 on coordinate 0 lies far outside/);
    expect(far.code).toBe(2);
    const other = await cli(["disco", "sample", "--model", model, "--sampler", "ula", "--tau", "0.5"]);
    expect(other.stderr).toMatch(/--tau is no setting of ula, which has --steps/);
  });

  it("compares methods on one page", async () => {
    const out = place("report.html");
    const size = ["--points", "2", "--seeds", "1", "--n", "48"];
    const networks = ["--model", model, "--diffusion", fixturePath("disco/diffusion-d2k32.safetensors")];
    const args = [
      "disco",
      "compare",
      "--data",
      "gmm:2",
      ...networks,
      ...size,
      "--cool",
      "0.07",
      "--out",
      out,
      "--json",
    ];
    const { stdout, stderr } = await cli([...args, "--methods", "exact,disco,grid,replacement", ...adapter]);
    expect(stderr).toBe("");
    const result = JSON.parse(stdout);
    expect(result.methods.map(({ name }: { name: string }) => name)).toEqual([
      "exact density",
      "DISCO",
      "DISCO, 0.07",
      "DISCO, integrated",
      "replacement",
    ]);
    expect(result.methods[4].cost).toBe("100 gradients");
    expect(result.methods[0].smoothed.mean).toBeLessThan(0.5);
    // A density for each, three fields, two box plots.
    expect(readFileSync(out, "utf8").match(/<svg /g)?.length).toBe(10);
    const many = await cli(["disco", "compare", "--model", model, model, "--seeds", "1", "--out", out, ...adapter]);
    expect([many.code, many.stderr]).toEqual([2, expect.stringContaining("--model names 2 networks, and --seeds 1")]);
    const none = await cli(["disco", "compare", "--methods", "magic"]);
    expect([none.code, none.stderr]).toEqual([2, expect.stringContaining('there is no "magic"')]);
  });

  it("no network of another kind, in the command's words", () => {
    const scores = { conditional: false, energy: false } as Parameters<typeof checkSampler>[1];
    expect(() => checkSampler("a.safetensors", scores, "smc")).toThrow(/no energy: take --sampler ula/);
    expect(() => checkSampler("a.safetensors", scores, "ula")).not.toThrow();
    const labelled = { conditional: true, energy: true } as typeof scores;
    expect(() => checkSampler("a.safetensors", labelled, "ula")).toThrow(/takes noise levels: a diffusion model/);
  });

  it("columns by number and by name, in the table's units", () => {
    const table = { columns: ["age", "height", "1"], mean: [40, 1.7, 0], std: [10, 0.1, 1] };
    expect(givenOf(parseGiven("age=55, 1=-2e-1"), table)).toEqual({ indices: [0, 2], values: [1.5, -0.2] });
    expect(givenOf(parseGiven("0=30"), table)).toEqual({ indices: [0], values: [-1] });
    const config = { box_low: [-2, -3, -1], box_high: [3, 3, 1] } as unknown as Parameters<typeof checkSeen>[2];
    expect(() => checkSeen(givenOf(parseGiven("age=80,height=1.7"), table), table, config)).not.toThrow();
    expect(checkSeen(givenOf(parseGiven("age=60,height=1.7"), table), table, config)).toEqual([]);
    expect(checkSeen(givenOf(parseGiven("age=80"), table), table, config)).toEqual([
      "--given age=80 lies outside of what the model has seen, about 20 to 70: the samples there are a guess",
    ]);
    expect(() => checkSeen(givenOf(parseGiven("age=141"), table), table, config)).toThrow(
      "--given age=141 lies far outside of what the model has seen, about 20 to 70",
    );
    for (const [text, says] of [
      ["weight=3", /has no column "weight": it has age, height, 1/],
      ["3=1", /has no column "3"/],
      ["age=1,0=2", /column "age" twice/],
      ["age=big", /must be a column and a number, such as 0=1.75/],
      ["=3", /must be a column and a number/],
    ] as const)
      expect(() => givenOf(parseGiven(text), table)).toThrow(says);
  });
});
