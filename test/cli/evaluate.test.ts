import { spawn } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { encode as encodeJpeg } from "jpeg-js";
import { beforeAll, describe, expect, it } from "vitest";
import { readFeatures } from "../../src/evaluate/feature-file.js";
import type { FdResult } from "../../src/evaluate/result.js";
import { nvidiaSentence } from "../../src/gpu/native-nvidia.js";
import { psnr, ssim } from "../../src/image/metrics.js";
import { fromByte, type RawImage } from "../../src/image/pixels.js";
import { encodePng } from "../../src/image/png.js";
import { adapter, CLI, cli, cliOk, png, run, scratch, sentence } from "../support/cli.js";
import { fixturePath, weightsPath } from "../support/fixtures.js";

const place = scratch();
const cwd = place("work");
mkdirSync(cwd, { recursive: true });
const at = (name: string) => `${cwd}/${name}`;
const SLURM = fileURLToPath(new URL("../../examples/slurm.sh", import.meta.url));
const N = 100;
const FD = ["evaluate", "fd", "--ts", "10", "--n", String(N), ...adapter];
const json = (path: string) => JSON.parse(readFileSync(path, "utf8")) as FdResult;

describe("evaluate fd", () => {
  let whole: FdResult;
  beforeAll(async () => {
    const { stdout, stderr } = await cliOk([...FD, "--out", "whole.json", "--batch", "16"], { cwd });
    expect(stdout).toMatch(
      /^FD \d+\.\d \(95% interval .*\)\n {2}100 images against .*stats\.safetensors of 10000 images\n/,
    );
    expect(stdout).toMatch(/Ankle boot +\d+\.\d% {2}of 10\n/);
    expect(stderr).toContain("100 images, 1 evaluation each");
    whole = json(at("whole.json"));
  });

  it("reports distance, interval, classes and rates as JSON, and keeps features, not images", () => {
    expect(whole).toMatchObject({
      tool: "ncvsd-gpu",
      kind: "fd",
      n: N,
      firstSeed: 0,
      evaluationsPerImage: 1,
      shards: 1,
    });
    expect(whole.fd).toBeGreaterThan(10);
    expect(whole.fd).toBeLessThan(100);
    expect(whole.interval).toMatchObject({ level: 0.95, groups: 10 });
    expect(whole.interval!.low).toBeLessThan(whole.fd);
    expect(whole.interval!.high).toBeGreaterThan(whole.fd);
    expect(whole.labels!.perClass.map((c) => c.n)).toEqual(new Array(10).fill(10));
    expect(whole.labels!.agreement).toBeGreaterThan(0.6);
    expect(whole.timing.imagesPerSecond).toBeGreaterThan(0);
    expect(whole.curve.at(-1)).toEqual({ n: N, fd: whole.fd });
    expect(readdirSync(cwd).sort()).toEqual(["whole.features.safetensors", "whole.json"]);
  });

  it("in shards, by xargs through the Slurm script, merges to the same bits", async () => {
    const program = at("ncvsd-gpu.sh");
    const more = adapter.length > 0 ? `[ "$2" = fd ] && set -- "$@" ${adapter.join(" ")}\n` : "";
    writeFileSync(program, `#!/bin/sh\n${more}exec '${process.execPath}' '${CLI}' "$@"\n`, { mode: 0o755 });
    const array = "SLURM_ARRAY_TASK_MIN=0 SLURM_ARRAY_TASK_MAX=2 SLURM_ARRAY_TASK_COUNT=3 SLURM_ARRAY_TASK_ID={}";
    const tasks = `printf '0\\n1\\n2\\n' | xargs -P 2 -I{} env ${array} bash '${SLURM}'`;
    const env = { N: String(N), TS: "10", OUT: cwd, NCVSD: program };
    const { code, stderr } = await run("sh", ["-c", `${tasks} && bash '${SLURM}' merge`], { cwd, env });
    expect(code, stderr).toBe(0);
    const merged = json(at("fd.json"));
    expect(merged.fd).toBe(whole.fd);
    expect(merged.labels).toEqual(whole.labels);
    expect(merged.curve).toEqual(whole.curve);
    expect(merged.interval).toEqual(whole.interval);
    expect(merged.shards).toBe(3);
    const two = [3, 1].map((i) => `fd-${i}-of-3.features.safetensors`);
    expect(sentence(await cli(["evaluate", "merge", ...two], { cwd }))).toMatch(/^shard 2\/3 is missing/);
  });

  it("killed, goes on from what it had, to the same bits", async () => {
    const args = [...FD, "--out", "killed.json", "--batch", "5", "--checkpoint-every", "10"];
    const parts = at("killed.features.parts");
    await new Promise<void>((resolve) => {
      const child = spawn(process.execPath, [CLI, ...args], { cwd, stdio: "ignore" });
      const watch = setInterval(() => {
        if (existsSync(parts) && readdirSync(parts).filter((f) => f.endsWith(".safetensors")).length >= 2)
          child.kill("SIGKILL");
      }, 5);
      child.on("close", () => {
        clearInterval(watch);
        resolve();
      });
    });
    expect(existsSync(at("killed.json"))).toBe(false);
    expect(readdirSync(parts).length).toBeGreaterThanOrEqual(2);
    const { stderr } = await cliOk(args, { cwd });
    const kept = Number(/going on after (\d+) images/.exec(stderr)?.[1]);
    expect(kept).toBeGreaterThanOrEqual(20);
    expect(kept).toBeLessThan(N);
    expect(existsSync(parts)).toBe(false);
    expect(json(at("killed.json")).fd).toBe(whole.fd);
    const [a, b] = [
      await readFeatures(at("killed.features.safetensors")),
      await readFeatures(at("whole.features.safetensors")),
    ];
    expect(a.rows.kept).toEqual(b.rows.kept);
  });

  it("keeps images when asked to, and their statistics from the files are its own", async () => {
    await cliOk([...FD, "--outdir", "images", "--out", "kept.json", "--quiet"], { cwd });
    expect(json(at("kept.json")).fd).toBe(whole.fd);
    await cliOk(["evaluate", "stats", "--data", "images", "--out", "own.safetensors", "--quiet", ...adapter], { cwd });
    const { stdout } = await cliOk(["evaluate", "merge", "whole.json", "--ref", "own.safetensors", "--json"], { cwd });
    expect((JSON.parse(stdout) as FdResult).fd).toBeLessThan(1e-6);
  });

  it("the report makes the run's images again from their seeds, and finds their neighbours", async () => {
    const data = weightsPath("fashion32-test64.safetensors");
    await cliOk(["evaluate", "report", "whole.json", "--data", data, "--out", "r.html", "--quiet", ...adapter], {
      cwd,
    });
    const html = readFileSync(at("r.html"), "utf8");
    expect(html.match(/<img /g)).toHaveLength(80 + 32 * 4);
    for (const seed of ["000000", "000079"]) {
      const { text: _, ...image } = png(at(`images/${seed}.png`));
      expect(html).toContain(Buffer.from(encodePng(image)).toString("base64"));
    }
  });

  it("refuses what cannot be evaluated in one sentence", async () => {
    const fails = async (...args: string[]) =>
      sentence(await cli(["evaluate", "fd", ...args, ...adapter, "--quiet"], { cwd }));
    expect(await fails("--n", "1")).toMatch(/^--n "1": must be a whole number from 2 /);
    expect(await fails("--shard", "1/2")).toMatch(/say where with --out/);
    expect(await fails("--shard", "--out", "x.json")).toMatch(/no task of an array job/);
    expect(await fails("--n", String(N), "--ts", "11", "--out", "whole.json")).toMatch(
      /has features of another run .* --force$/,
    );
    expect(await fails("--ref", fixturePath("npz/stats.npz"))).toMatch(
      /statistics of 3 features, but fashion32-features has 64/,
    );
    expect(await fails("--net", fixturePath("ncvsd-tiny.safetensors"))).toMatch(
      /images of 16x16 with 3 channels, .* takes 32x32 with 1/,
    );
    expect(await fails("--steps", "3")).toMatch(/--steps is for EDM2 teachers/);
    mkdirSync(at("folder.json"));
    // Before anything is made, not after hours of it.
    expect(await fails("--n", "1000000", "--out", "folder.json")).toMatch(
      /folder\.json cannot be written: it is a folder/,
    );
    expect(existsSync(at("folder.features.parts"))).toBe(false);
  });
});

describe("the examples", () => {
  const manifest = readFileSync(fileURLToPath(new URL("../../examples/k8s-job.yaml", import.meta.url)), "utf8");

  it("the Kubernetes manifest tells its pods how many they are, with options that exist", async () => {
    const completions = /^ {2}completions: (\d+)$/m.exec(manifest)![1]!;
    expect(manifest).toContain(`{ name: JOB_COMPLETIONS, value: "${completions}" }`);
    expect(manifest).toContain(`fd-*-of-${completions}.features`);
    const { stdout } = await cliOk(["evaluate", "fd", "--help"]);
    const command = /command:\s*\[\s*ncvsd-gpu,\s*evaluate,\s*fd,([^\]]*)\]/.exec(manifest)![1]!;
    const options = [...command.matchAll(/--[a-z]+/g)].map(([option]) => option);
    expect(options).toContain("--shard");
    for (const option of options) expect(stdout).toMatch(new RegExp(`^ +${option} `, "m"));
  });
});

describe("the example of a container", () => {
  const text = readFileSync(fileURLToPath(new URL("../../examples/Dockerfile", import.meta.url)), "utf8");

  it("has what the sentences about NVIDIA GPUs ask for, and so has the Kubernetes manifest", () => {
    const sound = { "libvulkan.so.1": false, "libEGL.so.1": false, "libXext.so.6": false };
    const facts = { devices: ["nvidia0"], driver: true, mig: false, vulkanDriver: true, libraries: sound };
    const packages = /install ((?:lib\w+ ?)+)/.exec(nvidiaSentence(facts)!)![1]!.trim().split(" ");
    expect(packages.length).toBe(3);
    for (const name of packages) expect(text).toMatch(new RegExp(`apt-get install .*\\b${name}\\b`));
    const capabilities = /NVIDIA_DRIVER_CAPABILITIES=(\S+)/.exec(text)![1]!;
    const asked = { ...facts, vulkanDriver: false, libraries: {}, capabilities };
    expect(nvidiaSentence(asked)).toMatch(/not the Vulkan part/);
    const manifest = readFileSync(fileURLToPath(new URL("../../examples/k8s-job.yaml", import.meta.url)), "utf8");
    expect(manifest).toMatch(/NVIDIA_DRIVER_CAPABILITIES, value: "[^"]*graphics/);
  });
});

describe("sample --shard", () => {
  it("makes its part of the seeds; all parts are the run", async () => {
    const sample = async (...more: string[]) =>
      JSON.parse(
        (await cliOk(["sample", "--seeds", "0-4", "--outdir", "parts", "--json", ...more, ...adapter], { cwd })).stdout,
      ) as object;
    expect(await sample("--shard", "1/2")).toMatchObject({ made: 2, kept: 0 });
    expect(await sample("--shard", "2/2")).toMatchObject({ made: 3, kept: 0 });
    expect(await sample("--grid", "parts.png")).toMatchObject({ made: 0, kept: 5 });
    const fails = async (...more: string[]) => sentence(await cli(["sample", "--seeds", "0-4", ...more], { cwd }));
    expect(await fails("--shard", "1/2", "--grid", "g.png")).toMatch(
      /--grid takes all images of a run: leave it out with --shard/,
    );
    expect(await fails("--shard", "1/9")).toMatch(/--shard 1\/9 of 5 images is empty/);
  });
});

describe("evaluate images", () => {
  const [w, h] = [24, 16];
  const picture = (seed: number, channels: 1 | 3 = 3): RawImage => ({
    width: w,
    height: h,
    channels,
    data: Uint8Array.from(
      { length: w * h * channels },
      (_, i) => 128 + 60 * Math.sin((i % 61) / 9 + seed) + 40 * Math.cos(i / (50 + seed)),
    ),
  });
  const planar = ({ data, channels }: RawImage) =>
    Float32Array.from({ length: data.length }, (_, k) =>
      fromByte(data[(k % (w * h)) * channels + Math.floor(k / (w * h))]!),
    );
  const save = (path: string, bytes: Uint8Array) => {
    mkdirSync(at(path.slice(0, path.lastIndexOf("/"))), { recursive: true });
    writeFileSync(at(path), bytes);
  };
  const images = (data: string, ref: string) =>
    cli(["evaluate", "images", "--data", data, "--ref", ref, "--json"], { cwd });

  it("gives PSNR and SSIM of every pair, of subfolders too, and their means", async () => {
    const pairs = [picture(1), picture(2)].map((a, i) => [a, picture(i + 3)] as const);
    for (const [i, [a, b]] of pairs.entries()) {
      save(`a/${i === 0 ? "" : "sub/"}${i}.png`, encodePng(a));
      save(`b/${i === 0 ? "" : "sub/"}${i}.png`, encodePng(b));
    }
    const { stdout } = await images("a", "b");
    const found = JSON.parse(stdout) as {
      images: { name: string; psnr: number; ssim: number }[];
      mean: { psnr: number };
    };
    expect(found.images.map((i) => i.name)).toEqual(["0", "sub/1"]);
    for (const [i, [a, b]] of pairs.entries()) {
      const shape = [1, 3, h, w] as const;
      expect(found.images[i]!.psnr).toBeCloseTo(psnr(planar(a), planar(b), shape)[0]!, 10);
      expect(found.images[i]!.ssim).toBeCloseTo(ssim(planar(a), planar(b), shape)[0]!, 10);
    }
    expect(found.mean.psnr).toBeCloseTo((found.images[0]!.psnr + found.images[1]!.psnr) / 2, 10);
    const { stdout: text } = await cliOk(["evaluate", "images", "--data", "a", "--ref", "a"], { cwd });
    expect(text).toMatch(/mean of 2 +80\.000 +1\.0000/);
  });

  it("reads JPEG, and pairs it with a PNG of the same name", async () => {
    const a = picture(5);
    const rgba = Uint8Array.from({ length: w * h * 4 }, (_, i) =>
      i % 4 === 3 ? 255 : a.data[Math.floor(i / 4) * 3 + (i % 4)]!,
    );
    save("png/x.png", encodePng(a));
    save("jpeg/x.jpg", encodeJpeg({ width: w, height: h, data: rgba }, 95).data);
    const { stdout } = await images("jpeg", "png");
    expect((JSON.parse(stdout) as { mean: { psnr: number } }).mean.psnr).toBeGreaterThan(25);
  });

  it("refuses images without a partner, of other sizes or kinds, and damaged ones", async () => {
    save("alone/0.png", encodePng(picture(1)));
    save("alone/9.png", encodePng(picture(1)));
    expect(sentence(await images("alone", "a"))).toMatch(
      /^alone has 9 without a partner of that name in a; a has sub\/1 without/,
    );
    save("grey/x.png", encodePng(picture(1, 1)));
    expect(sentence(await images("grey", "png"))).toMatch(
      /x\.png is 24x16 with 1 channel, but .* is 24x16 with 3 channels/,
    );
    save("cut/x.jpg", readFileSync(at("jpeg/x.jpg")).subarray(0, 200));
    expect(sentence(await images("cut", "png"))).toMatch(/^cut\/x\.jpg is damaged/);
    expect(sentence(await images("nowhere", "png"))).toBe("nowhere is not there");
    mkdirSync(at("empty"));
    expect(sentence(await images("empty", "png"))).toMatch(/^empty has no images/);
  });
});

describe("evaluate stats", () => {
  const stats = (...args: string[]) =>
    cli(["evaluate", "stats", "--out", "s.safetensors", "--quiet", ...args, ...adapter], { cwd });

  it("says what few images mean, refuses those of another size, and leaves nothing behind then", async () => {
    const { stderr } = await stats("--data", weightsPath("fashion32-test64.safetensors"));
    expect(stderr).toMatch(/64 images do not determine the covariance of 64 features; the distance is far too high/);
    rmSync(at("s.safetensors"));
    mkdirSync(at("wide"));
    for (let i = 0; i < 65; i++)
      writeFileSync(at(`wide/${i}.png`), encodePng({ width: 8, height: 8, channels: 1, data: new Uint8Array(64) }));
    expect(sentence(await stats("--data", "wide"))).toMatch(
      /0\.png is 8x8 with 1 channel, but the feature network .* takes images of 32x32/,
    );
    expect(existsSync(at("s.safetensors"))).toBe(false);
  });
});

describe("evaluate steps", () => {
  const STEPS = ["evaluate", "steps", "--n", String(N), ...adapter];
  it("tells lists of time steps by their distance, the best of each length marked; the distance is that of evaluate fd", async () => {
    const { stdout } = await cliOk([...STEPS, "--lists", "10;30;0,16"], { cwd });
    const lines = stdout.trimEnd().split("\n");
    expect(lines[0]).toMatch(/^ *--ts +steps +FD of 100 +best$/);
    const rows = lines.slice(1).map((line) => line.trim().split(/ +/));
    const of = (ts: string) => rows.find((row) => row[0] === ts)!;
    expect(rows).toHaveLength(3);
    expect([of("10")[3], of("0,16")[3], of("30")[3]]).toEqual(["*", "*", undefined]);
    expect(Number(of("30")[2])).toBeGreaterThan(2 * Number(of("10")[2]));
    expect(Number(of("10")[2])).toBeCloseTo(json(at("whole.json")).fd, 1);
  });
  it("searches step by step", async () => {
    const { stdout } = await cliOk([...STEPS, "--most", "2", "--every", "13", "--json"], { cwd });
    const { best, tried } = JSON.parse(stdout) as Record<"best" | "tried", { ts: number[]; fd: number }[]>;
    // 0, 13, 26; then the best of them with each of the others.
    expect(tried).toHaveLength(5);
    expect(best.map(({ ts }) => ts.length)).toEqual([1, 2]);
    expect(best[1]!.ts).toContain(best[0]!.ts[0]);
    expect(best[0]!.fd).toBe(Math.min(...tried.flatMap(({ ts, fd }) => (ts.length === 1 ? [fd] : []))));
  });
  it("refuses a teacher and lists that are none", async () => {
    const teacher = await cli([...STEPS, "--net", weightsPath("edm2-fashion32.safetensors")], { cwd });
    expect(sentence(teacher)).toContain("is an EDM2 teacher: time steps are for NCVSD networks");
    expect(sentence(await cli([...STEPS, "--lists", "10;"], { cwd }))).toContain("has an empty entry");
  });
});
