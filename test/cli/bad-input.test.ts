import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { writeSafetensors } from "../../src/checkpoint/index.js";
import type { Gpu } from "../../src/gpu/device.js";
import { loadModel, type Model } from "../../src/networks/edm2/model.js";
import { sampleHeun } from "../../src/sample/heun.js";
import { sampleMultiStep } from "../../src/sample/multi-step.js";
import { adapter, CLI, type CliResult, cli, cliOk, filesIn, png, run, scratch, sentence } from "../support/cli.js";
import { openTestGpu, withTestGpu } from "../support/gpu.js";
import { edited, fixturePath, rawFile } from "../support/safetensors-fixture.js";

/** A small file system of its own needs a mount namespace, which some containers forbid. */
const canMount = spawnSync("unshare", ["--mount", "--map-root-user", "sh", "-c", "mount -t tmpfs x /mnt"]).status === 0;
if (!canMount) console.warn("No mount namespaces here: the test with a full disk does not run.");

const TINY = fixturePath("ncvsd-tiny.safetensors");
const TEACHER = fixturePath("edm2-tiny.safetensors");
const UNCONDITIONAL = fixturePath("edm2-tiny-uncond.safetensors");
const GAIN = "enc.enc.16x16_block0.emb_gain";
const place = scratch();

/** Writes a file of the test and names it. */
function file(name: string, bytes: Uint8Array | string): string {
  writeFileSync(place(name), bytes);
  return place(name);
}

/** The tiny network with one tensor replaced (undefined: removed). */
const withTensor = (name: string, change: { dtype: string; data: Uint8Array } | undefined, path = TINY) =>
  edited(path, (checkpoint) => {
    checkpoint.tensors = checkpoint.tensors.flatMap((tensor) => {
      if (tensor.name !== name) return [tensor];
      return change ? [{ ...tensor, ...change } as typeof tensor] : [];
    });
  });
const f32 = (...values: number[]) => ({ dtype: "F32", data: new Uint8Array(Float32Array.from(values).buffer) });

let counter = 0;
/** A command that fails: its one sentence; nothing on stdout, no output folder. */
async function refused(code: 1 | 2, args: string[], env: Record<string, string> = {}): Promise<string> {
  const outdir = place(`never-${counter++}`);
  const result = await cli(args[0] === "sample" ? [...args, "--outdir", outdir] : args, { env });
  expect({ code: result.code, signal: result.signal }, result.stderr).toEqual({ code, signal: null });
  expect(result.stdout).toBe("");
  expect(filesIn(outdir)).toEqual([]);
  return sentence(result);
}

const NETWORK = readFileSync(TINY);
const HEADER = NETWORK.subarray(8, 8 + Number(NETWORK.readBigUint64LE(0))).toString();
const DATA = NETWORK.subarray(8 + Number(NETWORK.readBigUint64LE(0)));
/** The tiny network with the data offsets of its first tensor in the file moved. */
function shifted(begin: number, end: number): Uint8Array {
  const header = JSON.parse(HEADER) as Record<string, { data_offsets: [number, number] }>;
  const [first] = Object.entries(header).find(([name, t]) => name !== "__metadata__" && t.data_offsets[0] === 0)!;
  const [a, b] = header[first]!.data_offsets;
  header[first]!.data_offsets = [a + begin, b + end];
  return rawFile(JSON.stringify(header), DATA);
}

// Several processes at a time: they start up much and compute little.
describe.concurrent("a checkpoint that cannot be used", () => {
  const cases: [what: string, make: () => Promise<string> | string, says: RegExp][] = [
    ["is not there", () => place("nowhere.safetensors"), /nowhere\.safetensors' does not exist: check the path/],
    [
      "is a folder",
      () => fixturePath("heun"),
      /heun' is a folder: give the \.safetensors file in it, such as \S+\.safetensors/,
    ],
    ["is below a file", () => join(TINY, "x.safetensors"), /' does not exist: check the path/],
    ["has too long a name", () => `${"x".repeat(300)}.safetensors`, /x…' cannot be read/],
    ["is empty", () => file("empty.safetensors", ""), /empty\.safetensors.*(empty|0 bytes|too short)/],
    [
      "is a pickle of something else",
      () => fixturePath("pickle/encoder-latent.pkl"),
      /encoder-latent\.pkl' cannot be converted: it holds no EDM2 Precond/,
    ],
    ["is a zip of torch.save", () => fixturePath("convert/edm2-state-dict.pt"), /channels_per_head/],
    [
      "is a picture",
      async () => {
        await cliOk(["sample", ...adapter, "--net", TINY, "--seeds", "0", "--outdir", place("picture"), "--quiet"]);
        return join(place("picture"), "000000.png");
      },
      /000000\.png' is not a safetensors file: it is a PNG image; give the network's/,
    ],
    ["is text", () => file("notes.safetensors", "dear diary, today I trained a network\n"), /notes\.safetensors/],
    [
      "is cut off in the data",
      () => file("cut.safetensors", NETWORK.subarray(0, NETWORK.length - 100)),
      /cut\.safetensors' is truncated: the data of tensor .* copy or download it again$/,
    ],
    [
      "is cut off in the header",
      () => file("cut-header.safetensors", NETWORK.subarray(0, 500)),
      /cut-header\.safetensors.*header/,
    ],
    [
      "has a header longer than the file",
      () => file("long.safetensors", rawFile(HEADER, DATA, 9_999_999n)),
      /is truncated: its header should be 9999999 bytes long, but the whole file has only/,
    ],
    ["has overlapping tensors", () => file("overlap.safetensors", shifted(0, 4)), /overlap\.safetensors/],
    ["has a hole between tensors", () => file("hole.safetensors", shifted(4, 4)), /hole\.safetensors/],
    [
      "has a tensor of whole numbers",
      async () => file("i32.safetensors", await withTensor(GAIN, { dtype: "I32", data: new Uint8Array(4) })),
      /emb_gain.*I32/,
    ],
    [
      "has a NaN",
      async () => file("nan.safetensors", await withTensor(GAIN, f32(Number.NaN))),
      /emb_gain.*(NaN|not finite)/,
    ],
    [
      "has an infinity",
      async () => file("inf.safetensors", await withTensor("dec.out_gain", f32(-Infinity))),
      /out_gain.*(infin|not finite)/i,
    ],
    [
      "lacks a tensor",
      async () => file("lacks.safetensors", await withTensor("dec.out_gain", undefined)),
      /lacks\.safetensors.*dec\.out_gain/,
    ],
    [
      "has a tensor too many",
      async () =>
        file(
          "more.safetensors",
          await edited(TINY, ({ tensors }) => {
            tensors.push({ ...tensors[0]!, name: "dec.dec.32x32_up.emb_gain" });
          }),
        ),
      /more\.safetensors.*dec\.dec\.32x32_up\.emb_gain/,
    ],
    [
      "contradicts its config",
      async () =>
        file(
          "config.safetensors",
          await edited(TINY, ({ metadata }) => {
            metadata.config = JSON.stringify({ ...JSON.parse(metadata.config!), model_channels: 24 });
          }),
        ),
      /config\.safetensors.*\[.*\]/,
    ],
    [
      "has a config that is no JSON",
      async () =>
        file(
          "json.safetensors",
          await edited(TINY, ({ metadata }) => {
            metadata.config = "{img_resolution: 16";
          }),
        ),
      /json\.safetensors.*config/,
    ],
    [
      "is of an unknown architecture",
      async () =>
        file(
          "unet.safetensors",
          await edited(TINY, ({ metadata }) => {
            metadata.architecture = "stable-diffusion";
          }),
        ),
      /unet\.safetensors.*stable-diffusion/,
    ],
    [
      "is some other network",
      () =>
        file(
          "bert.safetensors",
          writeSafetensors(
            [{ name: "bert.embeddings.weight", dtype: "F32", shape: [4], data: new Float32Array(4) }],
            {},
          ),
        ),
      /bert\.safetensors/,
    ],
    ["is only a discriminator", () => fixturePath("disc-tiny.safetensors"), /discriminator, which only training needs/],
  ];
  it.each(cases)("%s", async (_, make, says) => {
    const path = await make();
    expect(await refused(1, ["sample", ...adapter, "--seeds", "0", "--net", path])).toMatch(says);
    // The command that needs no GPU tells the same.
    if (!/nan|inf\./.test(path)) expect(await refused(1, ["inspect", path])).toMatch(says);
  });

  it("--gnet is checked like --net", async () => {
    const args = ["sample", ...adapter, "--net", TEACHER, "--seeds", "0", "--steps", "2", "--guidance", "2", "--gnet"];
    expect(await refused(1, [...args, place("gone")])).toMatch(/gone' does not exist/);
    expect(await refused(2, [...args, TINY])).toMatch(/^--gnet .*ncvsd-tiny\.safetensors is an NCVSD network: /);
  });
});

describe.concurrent("options that make no sense", () => {
  const sample = (...args: string[]) => ["sample", ...adapter, "--net", TINY, ...args];
  const teacher = (...args: string[]) => ["sample", ...adapter, "--net", UNCONDITIONAL, ...args];
  const cases: [args: string[], says: RegExp][] = [
    [sample("--ts", "40"), /^--ts "40": 40 is out of range; must be whole numbers from 0 to 38/],
    [sample("--ts", "10,39,22"), /39 is out of range/],
    [sample("--ts", "22,10"), /10 follows 22; .*strictly increasing/],
    [sample("--ts", "10,10"), /10 follows 10/],
    [sample("--ts", "39"), /names no level to evaluate/],
    [sample("--ts", "ten"), /"ten" is no index/],
    [sample("--ts", "10,,22"), /has an empty entry/],
    [sample("--ts=-1"), /"-1" is no index/],
    [sample("--zeta", "1.1"), /^--zeta "1.1": must be a number from 0 to 1$/],
    [sample("--zeta=-0.1"), /must be a number from 0 to 1$/],
    [sample("--zeta", "NaN"), /must be a number from 0 to 1$/],
    [sample("--seeds", "a-b"), /"a-b" is no seed; must be whole numbers and ranges/],
    [sample("--seeds", "1,"), /has an empty entry/],
    [sample("--seeds", "5-1"), /a range runs upwards; write 1-5/],
    [sample("--seeds", "4294967296"), /the largest seed is 4294967295/],
    [sample("--seeds=-3"), /a seed cannot be negative/],
    [sample("--batch", "0"), /^--batch "0": must be a whole number from 1/],
    [sample("--batch", "2.5"), /^--batch "2.5": must be a whole number/],
    [sample("--precision", "f64"), /^--precision "f64": must be f32, f16, f16-weights or auto$/],
    [
      sample("--class", "Spaceship"),
      /^--class "Spaceship": this checkpoint does not name its classes; give a number from 0 to 9$/,
    ],
    [sample("--class", "10"), /^--class "10": class numbers of this checkpoint run from 0 to 9$/],
    [["sample", ...adapter, "--class", "Spaceship"], /no class has this name; there are T-shirt\/top, .*Ankle boot$/],
    [teacher("--class", "0"), /this checkpoint has no classes \(label_dim is 0\); leave the option out$/],
    ...[
      "--steps=3",
      "--guidance=2",
      "--gnet=x",
      "--S_churn=1",
      "--S_min=1",
      "--S_max=1",
      "--S_noise=1",
      "--sigma_min=1",
      "--sigma_max=1",
      "--rho=7",
    ].map((option): [string[], RegExp] => [
      sample(option),
      new RegExp(`^${option.split("=")[0]} is for EDM2 teachers, but .* is an NCVSD network: leave it out\\.$`),
    ]),
    [teacher("--ts", "10"), /^--ts is for NCVSD networks, but .* is an EDM2 teacher: leave it out\.$/],
    [teacher("--zeta", "1"), /^--zeta is for NCVSD networks, but /],
    [teacher("--steps", "0"), /^--steps "0": must be a whole number from 1/],
    [teacher("--guidance", "2"), /--guidance 2 needs a second network: name it with --gnet/],
    [teacher("--gnet", UNCONDITIONAL), /--gnet does nothing at --guidance 1/],
    [teacher("--sigma_min", "2", "--sigma_max", "1"), /--sigma_min 2 must be below --sigma_max 1/],
    [teacher("--sigma_min", "1e-60"), /noise level of .*32-bit floats cannot hold/],
    [teacher("--rho", "0.001"), /noise level of .*32-bit floats cannot hold/],
    [teacher("--S_churn", "-1"), /^--S_churn "-1": must be a number from 0 on$/],
    [sample("--grid", place("."), "--seeds", "0"), /cannot be written: it is a folder$/],
    [sample("--save-raw", place("."), "--seeds", "0"), /cannot be written: it is a folder$/],
    [
      sample("--grid", place("huge.png"), "--seeds", "0-8000"),
      /^--grid .*: 8001 images of 16x16 are too many for one sheet; /,
    ],
    [sample("--grid", place("huger.png"), "--seeds", "0-999999"), /1000000 images of 16x16 are too many for one sheet/],
  ];
  it.each(
    cases.map(([args, says]) => ({
      what: args
        .slice(1)
        .join(" ")
        .replace(/\S*fixtures\//g, ""),
      args,
      says,
    })),
  )("$what", async ({ args, says }) => {
    expect(await refused(2, args)).toMatch(says);
  });

  it.each([
    [["sample", "--colour", "red"], /^ncvsd-gpu: unknown option '--colour'\n/],
    [["sample", "seven"], /^ncvsd-gpu: too many arguments/],
    [["sample", "--seeds"], /^ncvsd-gpu: option '--seeds <list>' argument missing\n/],
    [["smaple"], /^ncvsd-gpu: unknown command 'smaple'\n\(Did you mean sample\?\)\n/],
    [["inspect", "--batch", "none"], /^ncvsd-gpu: --batch "none": must be a whole number/],
    [["doctor", "now"], /^ncvsd-gpu: too many arguments/],
  ] as const)("%j", async (args, says) => {
    const { code, stdout, stderr } = await cli(args);
    expect(code).toBe(2);
    expect(stdout).toBe("");
    expect(stderr).toMatch(says);
    expect(stderr).not.toMatch(/^ +at /m);
  });

  it("--verbose adds the stack, whatever the command", async () => {
    for (const args of [
      ["sample", ...adapter, "--net", place("gone")],
      ["inspect", place("gone")],
    ]) {
      const plain = await cli(args);
      const { code, stderr } = await cli([...args, "--verbose"]);
      expect(code).toBe(1);
      expect(stderr).toMatch(/^ncvsd-gpu: NcvsdError: .*gone' does not exist: check the path\n +at /);
      expect(plain.stderr).toMatch(/^ncvsd-gpu: .*gone' does not exist: check the path\n$/);
    }
  });
});

describe("outputs that cannot be written", () => {
  const sample = (...args: string[]) =>
    cli(["sample", ...adapter, "--net", TINY, "--seeds", "0-3", "--batch", "1", ...args]);
  const fails = async (result: CliResult, code: number) => {
    expect({ code: result.code, stdout: result.stdout }, result.stderr).toEqual({ code, stdout: "" });
    return sentence(result);
  };

  it("the output folder is a file, or lies under one, or where none can be", async () => {
    const taken = file("taken", "text");
    expect(await fails(await sample("--outdir", taken), 2)).toBe(`the output folder ${taken} is a file: name a folder`);
    expect(await fails(await sample("--outdir", join(taken, "sub")), 1)).toMatch(
      /cannot be made: a part of the path is a file$/,
    );
    expect(await fails(await sample("--outdir", "/proc/ncvsd/out"), 1)).toMatch(/\/proc\/ncvsd\/out cannot be made: /);
    expect(readFileSync(taken, "utf8")).toBe("text");
  });

  it("a sheet or raw file in such a place is refused before anything is made", async () => {
    const taken = file("taken2", "text");
    for (const option of ["--grid", "--save-raw"]) {
      const dir = place(`not-made${option}`);
      expect(await fails(await sample("--outdir", dir, option, join(taken, "x")), 1)).toMatch(
        /taken2\/x cannot be written: a part of the path is a file$/,
      );
      expect(filesIn(dir)).toEqual([]);
    }
  });

  it.runIf(canMount)(
    "a disk that is full: what is there is whole, and the same command goes on when there is room",
    async () => {
      // A file system of 32 KiB in a namespace of its own; 24 KiB of it are taken.
      const disk = place("disk");
      mkdirSync(disk);
      const copy = place("copy");
      const words = [
        process.execPath,
        CLI,
        "sample",
        ...adapter,
        "--net",
        TINY,
        "--seeds",
        "0-63",
        "--batch",
        "1",
        "--outdir",
        join(disk, "out"),
        "--quiet",
      ];
      const script = [
        `mount -t tmpfs -o size=32k,nr_inodes=1k ncvsd '${disk}' || exit 77`,
        words.map((word) => `'${word}'`).join(" "),
        "status=$?",
        `cp -r '${disk}' '${copy}'`,
        "exit $status",
      ];
      const result = await run("unshare", ["--mount", "--map-root-user", "sh", "-c", script.join("\n")]);
      const said = await fails(result, 1);
      expect(said).toMatch(/disk\/out\/.* cannot be written: the disk is full$/);
      const names = filesIn(join(copy, "out")).filter((name) => name !== "run.json");
      expect(names.length).toBeGreaterThan(0);
      expect(names.length).toBeLessThan(64);
      for (const name of names) {
        expect(name).toMatch(/^\d{6}\.png$/);
        expect(png(join(copy, "out", name)).width).toBe(16);
      }
      const args = [
        "sample",
        ...adapter,
        "--net",
        TINY,
        "--seeds",
        `0-${names.length}`,
        "--outdir",
        join(copy, "out"),
        "--json",
      ];
      expect(JSON.parse((await cliOk(args)).stdout)).toMatchObject({ kept: names.length, made: 1 });
    },
  );
});

describe("no adapter", () => {
  const none = {
    VK_DRIVER_FILES: "/nonexistent",
    VK_ICD_FILENAMES: "/nonexistent",
    XDG_CACHE_HOME: "/nonexistent",
    NCVSD_TEST_ADAPTER: "",
  };

  it.each([
    ["sample", "--seeds", "0"],
    ["doctor"],
    ["doctor", "--json"],
    ["demo", "--outdir", join(tmpdir(), "ncvsd-never")],
  ])("%s %s: exit 1, and what to do", async (...args) => {
    const said = await refused(
      1,
      args.filter((arg) => arg !== undefined),
      none,
    );
    expect(said).toMatch(
      /^No GPU adapter was found: run `npx ncvsd-gpu doctor --setup` to set up a software one, or install a Vulkan driver/,
    );
  });

  it("of that name: exit 1, and which there are", async () => {
    for (const command of ["sample", "doctor"])
      expect(await refused(1, [command, "--adapter", "Voodoo 2"])).toMatch(
        /^No adapter's name contains "Voodoo 2": there is ".+"\.$/,
      );
  });

  it("inspect needs none", async () => {
    const { stdout } = await cliOk(["inspect", TINY], { env: none });
    expect(stdout).toContain("architecture  ncvsd");
  });
});

describe("a batch larger than the adapter can hold", () => {
  let gpu: Gpu;
  withTestGpu((own) => (gpu = own));

  it.each([
    ["the largest --batch", 65536],
    ["one more than fits", undefined],
  ])("%s: exit 1, says the largest that fits, and that one fits", async (_, asked) => {
    const model = await loadModel(gpu, TINY);
    const largest = model.largestBatch(65536);
    expect(largest).toBeLessThan(65536);
    const batch = asked ?? largest + 1;
    const said = await refused(1, [
      "sample",
      ...adapter,
      "--net",
      TINY,
      "--seeds",
      `0-${batch - 1}`,
      "--batch",
      String(batch),
    ]);
    expect(said).toMatch(
      new RegExp(
        `^A batch of ${batch} .*is more than .* can hold in its memory or in one buffer: the largest batch that fits is \\d+\\.$`,
      ),
    );
    const named = Number(/(\d+)\.$/.exec(said)![1]);
    const session = await model.openGenerator(named, undefined);
    session.release();
    await expect(model.openGenerator(batch, undefined)).rejects.toMatchObject({ code: "OUT_OF_MEMORY" });
    await model.close();
  });

  const seeds = (n: number) => Array.from({ length: n }, (_, i) => i);
  it("what is named fits with the sampler's own memory, also where other batches ran before", async () => {
    const look = async (event: Partial<Record<"preview" | "next" | "denoised", () => unknown>>) => {
      await Promise.all([event.preview?.(), event.next?.(), event.denoised?.()]);
    };
    const runs = {
      multiStep: [
        TINY,
        (model: Model, n: number) => sampleMultiStep(model, { seeds: seeds(n), ts: [5, 10], zeta: 0.5, onStep: look }),
      ],
      heun: [
        TEACHER,
        (model: Model, n: number) => sampleHeun(model, { seeds: seeds(n), steps: 2, S_churn: 5, onStep: look }),
      ],
    } as const;
    for (const [name, [path, run]] of Object.entries(runs)) {
      const weights = await loadModel(gpu, path);
      const before = gpu.allocatedBytes;
      await weights.close();
      const limited = await openTestGpu({ memoryLimit: before - gpu.allocatedBytes + 3.5 * 2 ** 20 });
      const model = await loadModel(limited, path);
      const sampler = (n: number) => run(model, n);
      for (const n of [1, 2, 3]) await sampler(n);
      const error: Error & { code?: string } = await sampler(500).then(
        () => new Error("it fitted"),
        (e) => e,
      );
      expect(error, name).toMatchObject({ code: "OUT_OF_MEMORY" });
      const largest = Number(/the largest batch that fits is (\d+)\.$/.exec(error.message)?.[1]);
      expect(largest, name).toBeGreaterThan(3);
      expect((await sampler(largest)).shape[0]).toBe(largest);
      // Plans kept for reuse give way.
      for (const n of [1, 2]) await sampler(n);
      expect((await sampler(largest)).shape[0]).toBe(largest);
      limited.close();
    }
  });
});

describe("values that stop being finite", () => {
  // A gain that overflows in the middle of the network: infinities there, NaN behind them, and then a clip to +-256.
  const overflowing = async () => file("overflow.safetensors", await withTensor(GAIN, f32(3e38)));

  it("the step is named, nothing is written; --verbose names the node", async () => {
    const args = ["sample", ...adapter, "--net", await overflowing(), "--seeds", "0-1", "--ts", "10,22"];
    expect(await refused(1, args)).toMatch(
      /^Sampling gave values that are not finite at step 1 of 2 \(2 of 2 images\): check the checkpoint/,
    );
    const { code, stderr } = await cli([...args, "--outdir", place("never"), "--verbose"]);
    expect(code).toBe(1);
    expect(stderr).toMatch(/not finite at step 1 of 2, first at node enc\.enc\.\S*emb_linear \(2 of 2 images\)/);
    expect(filesIn(place("never"))).toEqual([]);
  });

  it("with a teacher, and in one step", async () => {
    const teacher = file("teacher.safetensors", await withTensor("unet.dec.16x16_block1.emb_gain", f32(3e38), TEACHER));
    expect(await refused(1, ["sample", ...adapter, "--net", teacher, "--seeds", "0", "--steps", "3"])).toMatch(
      /not finite at step 1 of 3/,
    );
    expect(await refused(1, ["sample", ...adapter, "--net", await overflowing(), "--seeds", "0"])).toMatch(
      /not finite at step 1 of 1/,
    );
  });
});
