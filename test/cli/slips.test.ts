import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { parseEntrants } from "../../src/cli/calibrate/entrants.js";
import { namedNetwork } from "../../src/cli/parts/engine.js";
import { withPreset } from "../../src/cli/parts/published.js";
import { parseSampler } from "../../src/cli/restore/sampler-flags.js";
import { parseTaskFlags } from "../../src/cli/restore/task-flags.js";
import { didYouMean } from "../../src/errors.js";
import { gpuProfile } from "../../src/gpu/profiles.js";
import { parseClass } from "../../src/runs/labels.js";
import { cli, cliOk } from "../support/cli.js";

const classes = { labelDim: 3, labels: ["Coat", "Sneaker", "Ankle boot"] };

it.each([
  [
    "a task",
    () => parseTaskFlags({ task: "box_inpaintin" }),
    /^--task "box_inpaintin" is not known: did you mean box_inpainting\?$/,
  ],
  ["a sampler", () => parseSampler({ sampler: "pnpgd" }), /^--sampler "pnpgd" is not known: did you mean pnp-gd\?$/],
  ["a sampler among several", () => parseEntrants("daps,dpz"), /"dpz" is not known: did you mean dps\?$/],
  ["a sampler's setting", () => parseEntrants("diffpir:lamda=2"), /no setting "lamda": did you mean lambda\?$/],
  [
    "a preset",
    () => withPreset({ preset: "edm2-img64-s-fif" }),
    /^there is no preset "edm2-img64-s-fif": did you mean edm2-img64-s-fid\?$/,
  ],
  [
    "a network",
    () => namedNetwork("ncvsd-ffhq256-sx"),
    /^"ncvsd-ffhq256-sx" is neither a file nor a published network: did you mean ncvsd-ffhq256-xs\?$/,
  ],
  [
    "a class",
    () => parseClass("sneekers", classes),
    /^--class "sneekers": no class has this name; did you mean Sneaker\?$/,
  ],
  ["a kind of GPU", () => gpuProfile("appel"), /^there is no profile "appel": did you mean apple\?$/],
])("%s that is misspelt: which one was meant", (_, read, says) => {
  expect(read).toThrow(says);
});

it("nothing is guessed of what is no slip", () => {
  expect(() => parseTaskFlags({ task: "sharpen" })).toThrow(/is not known: there are .*box_inpainting/);
  expect(() => parseClass("boot", classes)).toThrow(/close ones are Ankle boot$/);
  expect(() => parseClass("dog", classes)).toThrow(/there are Coat, Sneaker, Ankle boot$/);
  // Half of a short word is another word.
  expect(didYouMean("dog", ["bag"])).toBeUndefined();
  // Paths, addresses and what is a file are read as what they are.
  for (const name of ["./bundles", "hf://a/bundled", "LICENSE", "bundled", "model"])
    expect(() => namedNetwork(name)).not.toThrow();
  expect(() => namedNetwork("test")).toThrow(/'test' is a folder/);
});

it("commands, those below them, and options are suggested", async () => {
  for (const [args, meant] of [
    [["restor"], "restore"],
    [["evaluate", "repot"], "report"],
    [["disco", "trian"], "train"],
    [["sample", "--sedes", "0"], "--seeds"],
  ] as const)
    expect((await cli(args)).stderr, args.join(" ")).toContain(`(Did you mean ${meant}?)`);
});

it("--help names every environment variable that the code reads", async () => {
  const { stdout } = await cliOk(["--help"]);
  const named = new Set(stdout.slice(stdout.indexOf("Environment variables:")).match(/[A-Z][A-Z_]{3,}/g));
  // Between a process and the ones it starts.
  const internal = ["NCVSD_PROBE"];
  const read = new Set<string>();
  for (const file of readdirSync("src", { recursive: true, encoding: "utf8" }))
    if (file.endsWith(".ts"))
      for (const name of readFileSync(join("src", file), "utf8").match(/\b(NCVSD|HF|XDG)_[A-Z_]+\b/g) ?? [])
        read.add(name);
  expect(read.size).toBeGreaterThan(6);
  for (const name of read) if (!internal.includes(name)) expect(named, name).toContain(name);
});
