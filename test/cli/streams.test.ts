import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { writeSafetensors } from "../../src/checkpoint/index.js";
import { markdown } from "../../src/cli/restore/report.js";
import { NcvsdError, oneLine, printable, sentenceOf } from "../../src/errors.js";
import { encodePng } from "../../src/image/png.js";
import { adapter, CLI, cli, cliOk, filesIn, scratch } from "../support/cli.js";
import { fixturePath } from "../support/fixtures.js";

const place = scratch();
const tiny = fixturePath("ncvsd-tiny.safetensors");

// biome-ignore lint/suspicious/noControlCharactersInRegex: they must not be there
const CONTROL = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/;
const HOSTILE = "\u001b]0;title\u0007\u001b[31mred\u009b31m\u202eltr\u2066x\u0000\r";

describe("texts of files", () => {
  it("control characters are escapes, in JSON they mean the same, other letters stay", () => {
    expect(printable(HOSTILE)).not.toMatch(CONTROL);
    const json = printable(JSON.stringify({ name: HOSTILE }));
    expect(json).not.toMatch(CONTROL);
    expect(JSON.parse(json)).toEqual({ name: HOSTILE });
    expect(printable("café 写真 😀\ttab\nline")).toBe("café 写真 😀\ttab\nline");
    expect(printable("\ud800")).toBe("\\ud800");
  });

  it("messages are one line of at most 300 characters, whose end says what to do", () => {
    const long = `${"x".repeat(5000)}: take another file`;
    const { message } = new NcvsdError("BAD_ARGUMENT", long);
    expect(message.length).toBeLessThanOrEqual(300);
    expect(message).toMatch(/^x+ \.\.\. x+: take another file$/);
    expect(sentenceOf("two\nlines")).toBe("two lines");
    expect(new NcvsdError("BAD_CHECKPOINT", HOSTILE).message).not.toMatch(CONTROL);
  });

  it("labels, metadata, headers and names reach a terminal without them, on both streams", async () => {
    const dir = place("hostile");
    mkdirSync(dir);
    const { tensors, metadata } = await read(tiny);
    const labels = JSON.stringify(
      [HOSTILE, "a\nsha256  forged\tb", "c", "d", "e"].slice(0, JSON.parse(metadata.config!).label_dim),
    );
    writeFileSync(join(dir, "m.safetensors"), writeSafetensors(tensors, { ...metadata, labels }));
    writeFileSync(join(dir, "x\u001b[31m.npy"), "\x93NUMPY no");
    writeFileSync(join(dir, "r.json"), JSON.stringify({ tool: HOSTILE }));
    for (const args of [
      ["inspect", "m.safetensors"],
      ["inspect", "m.safetensors", "--json"],
      ["sample", "--net", "m.safetensors", "--class", "nothing"],
      ["sample", "--net", HOSTILE.replaceAll("\0", "")],
      ["restore", "--task", "box_inpainting", "--data", "x\u001b[31m.npy"],
      ["evaluate", "report", "r.json", "--no-images"],
      ["evaluate", "images", "--data", ".", "--ref", "."],
    ]) {
      const { stdout, stderr } = await cli(args, { cwd: dir });
      expect(stdout + stderr, args.join(" ")).not.toMatch(CONTROL);
      expect(stdout + stderr, args.join(" ")).not.toMatch(/^sha256 {2}forged/m);
    }
  });

  it("names and labels make no lines of their own in tables", async () => {
    expect(oneLine("a\n\tb\u001b")).toBe("a\\n\\tb\\u001b");
    const dir = place("lines");
    mkdirSync(dir);
    const grey = { width: 16, height: 16, channels: 1, data: new Uint8Array(256) } as const;
    for (const name of ["a\nmean of 9  99.000", "b"]) writeFileSync(join(dir, `${name}.png`), encodePng(grey));
    const { stdout } = await cliOk(["evaluate", "images", "--data", dir, "--ref", dir]);
    expect(stdout.split("\n").map((line) => line.trimEnd().split(/ {2,}/)[0])).toEqual([
      "image",
      "a\\nmean of 9",
      "b",
      "mean of 2",
      "",
    ]);
  });

  it("a file for people has none either, and a name cannot end its cell", () => {
    const figures = { psnr: 20, ssim: 0.5, nfe: 1, seconds: 1 };
    const text = markdown(
      {
        ...{ task: "t", description: HOSTILE, noise: "none", sampler: { title: "PnP-GD" } },
        ...{ checkpoint: { name: HOSTILE }, notes: [], command: [HOSTILE] },
      } as never,
      [{ name: "x|y\nz", samples: [figures], mean: figures, baselines: {}, mostConsistent: 0 } as never],
    );
    expect(text).not.toMatch(CONTROL);
    expect(text).toContain("| x\\|y\\nz, sample 0 |");
  });
});

async function read(path: string) {
  const bytes = readFileSync(path);
  const length = Number(bytes.readBigUInt64LE(0));
  const { __metadata__: metadata, ...rest } = JSON.parse(bytes.toString("utf8", 8, 8 + length));
  const tensors = Object.entries<{ dtype: string; shape: number[]; data_offsets: [number, number] }>(rest).map(
    ([
      name,
      {
        dtype,
        shape,
        data_offsets: [from, to],
      },
    ]) => ({
      name,
      dtype,
      shape,
      data: new Uint8Array(bytes.subarray(8 + length + from, 8 + length + to)),
    }),
  );
  return { tensors, metadata: metadata as Record<string, string> };
}

describe("streams that go away", () => {
  const sample = (out: string, ...more: string[]) => [
    CLI,
    "sample",
    ...adapter,
    "--net",
    tiny,
    "--ts",
    "10",
    "--outdir",
    out,
    ...more,
  ];

  it("nobody reads the progress any more: the run goes on", async () => {
    const out = place("unread");
    const child = spawn(process.execPath, sample(out, "--seeds", "0-5", "--batch", "1"), {
      stdio: ["ignore", "ignore", "pipe"],
    });
    child.stderr.once("data", () => child.stderr.destroy());
    const code = await new Promise((done) => child.on("close", done));
    expect(code).toBe(0);
    expect(filesIn(out)).toHaveLength(7);
    expect(JSON.parse(readFileSync(join(out, "run.json"), "utf8")).runs[0].complete).toBe(true);
  });

  it("stdout is full: one sentence, exit code 1; closed early: quiet", async () => {
    if (!existsSync("/dev/full")) throw new Error("this test needs /dev/full");
    for (const args of [
      [CLI, "inspect", tiny, "--json"],
      [CLI, "inspect", tiny],
      sample(place("full"), "--seeds", "0", "--quiet"),
    ]) {
      const { status, stderr } = spawnSync(process.execPath, args, {
        stdio: ["ignore", openSync("/dev/full", "w"), "pipe"],
        encoding: "utf8",
      });
      expect(stderr).toMatch(/^ncvsd-gpu: the result cannot be written to stdout: the disk is full$/m);
      expect(stderr).not.toMatch(/^ +at /m);
      expect(status).toBe(1);
    }
    const shell = `"${process.execPath}" "${CLI}" inspect "${tiny}" --plan | head -n 1`;
    const { stderr } = spawnSync("bash", ["-c", shell], { encoding: "utf8" });
    expect(stderr).toBe("");
  });

  it("a terminal that is closed (SIGHUP) ends a run as SIGTERM does: whole images, a record, exit code 129", async () => {
    const out = place("hup");
    const child = spawn(process.execPath, sample(out, "--seeds", "0-400", "--batch", "1"), {
      stdio: ["ignore", "ignore", "pipe"],
    });
    const timer = setInterval(() => {
      // A second signal would end it at once.
      if (filesIn(out).length > 2 && !child.killed) child.kill("SIGHUP");
    }, 20);
    const code = await new Promise((done) => child.on("close", done));
    clearInterval(timer);
    expect(code).toBe(129);
    const { runs, images } = JSON.parse(readFileSync(join(out, "run.json"), "utf8"));
    expect(runs[0].complete).toBe(false);
    expect(filesIn(out)).toHaveLength(Object.keys(images).length + 1);
  });

  it("--json stays JSON when the command succeeds", async () => {
    const { stdout } = await cliOk(["inspect", tiny, "--json"]);
    expect(JSON.parse(stdout)).toMatchObject({ architecture: "ncvsd" });
  });
});
