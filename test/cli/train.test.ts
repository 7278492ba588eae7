import type { ChildProcess } from "node:child_process";
import { existsSync, readFileSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { openCheckpoint } from "../../src/checkpoint/index.js";
import { Dataset } from "../../src/data/dataset.js";
import { encodePng } from "../../src/image/png.js";
import { loadModel } from "../../src/networks/edm2/model.js";
import { sampleHeun } from "../../src/sample/heun.js";
import { adapter, cli, cliOk, filesIn, png, scratch, sentence } from "../support/cli.js";
import { folderOf, npy } from "../support/dataset.js";
import { openTestGpu } from "../support/gpu.js";
import { seeded } from "../support/mutate.js";
import { randomVae, SMALL_VAE } from "../support/random-vae.js";

const place = scratch();
/** `npm run crash` sets it, and the seed that chooses when. */
const KILLS = Number(process.env.NCVSD_CRASH_KILLS ?? 3);

/** Ten pictures of 8x8, stripes and a border that differ from one to the next, of two classes. */
function tenPictures(name: string): string {
  const members: Record<string, Uint8Array> = {};
  const labels: [string, number][] = [];
  for (let k = 0; k < 10; k++) {
    const bright = (y: number, x: number) => (y + k) % 4 < 2 !== x < k - 1;
    const data = Uint8Array.from({ length: 64 }, (_, i) => (bright(i >> 3, i & 7) ? 230 : 20));
    const file = `00000/img0000000${k}.png`;
    members[file] = encodePng({ width: 8, height: 8, channels: 1, data });
    labels.push([file, k % 2]);
  }
  members["dataset.json"] = new TextEncoder().encode(JSON.stringify({ labels, classes: ["even", "odd"] }));
  return folderOf(place(name), members);
}

const DATA = tenPictures("ten");
const CONFIG = place("tiny.json");
const tiny = { model_channels: 8, channel_mult: [1, 2], num_blocks: 1, attn_resolutions: [4], channels_per_head: 8 };
writeFileSync(CONFIG, JSON.stringify({ ...tiny, logvar_channels: 16 }));

/** 16 images an update, in two rounds, which two workers share. */
const train = (outdir: string, ...more: string[]) => [
  ..."train --batch 16 --batch-gpu 8 --lr 0.02 --rampup 256 --decay 100 --status 256 --snapshot 2Ki --config".split(
    " ",
  ),
  ...[CONFIG, "--outdir", outdir, ...adapter],
  ...(more.includes("--data") ? more : ["--data", DATA, ...more]),
];

interface Line {
  readonly what: string;
  readonly images: number;
  readonly loss?: number;
}
const log = (outdir: string): Line[] =>
  readFileSync(join(outdir, "log.jsonl"), "utf8")
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line));
const statuses = (outdir: string) => log(outdir).filter(({ what }) => what === "status");
const state = (outdir: string) => {
  const { files, counters } = JSON.parse(readFileSync(join(outdir, "state", "state.json"), "utf8"));
  return { files, counters };
};

const whole = place("whole");
/** Whether a state was being written when its process was killed: files lie there that do not count yet, or no longer. */
function halfSaved(outdir: string): boolean {
  const names = filesIn(join(outdir, "state"));
  const { folder } = names.includes("state.json")
    ? JSON.parse(readFileSync(join(outdir, "state", "state.json"), "utf8"))
    : { folder: undefined };
  return names.some((name) => name !== "state.json" && !name.startsWith(`${folder}/`));
}

/** Milliseconds from one line of its log to the next. */
let pace = 400;

describe("a run on ten images", () => {
  it("learns them; leaves snapshots, samples, a log and a report", async () => {
    const began = performance.now();
    const { stdout, stderr } = await cliOk(train(whole, "--duration", "6Ki", "--checkpoint", "4Ki"));
    pace = (performance.now() - began) / 24;
    const lines = statuses(whole);
    expect(lines.map(({ images }) => images)).toEqual(Array.from({ length: 24 }, (_, i) => 256 * (i + 1)));
    const losses = lines.map(({ loss }) => loss!);
    expect(losses[0]).toBeGreaterThan(1.5);
    expect(Math.max(...losses.slice(-4))).toBeLessThan(0.2);
    expect(stderr).toMatch(/^6144 images, loss -?[\d.]+, lr 0\.01\d*, [\d.]+ images\/s, 0\.0 s left$/m);
    expect(stderr).not.toContain("not finite");

    const snapshots = [2, 4, 6].flatMap((kimg) =>
      ["0.050", "0.100"].map((std) => `network-snapshot-000000${kimg}-${std}.safetensors`),
    );
    const sheets = [2, 4, 6].map((kimg) => `samples-000000${kimg}.png`);
    const others = filesIn(whole).filter((file) => !file.startsWith("state/"));
    expect(others).toEqual(["log.jsonl", "report.html", ...snapshots, ...sheets].sort());
    expect(stdout.trim().split("\n")).toEqual(snapshots.slice(-2).map((file) => join(whole, file)));
    expect(png(join(whole, sheets[2]!)).width).toBeGreaterThan(4 * 8);
    const report = readFileSync(join(whole, "report.html"), "utf8");
    expect(report).toContain("6,144 of 6,144 images.");
    expect(report.match(/data:image\/png/g)).toHaveLength(3);
    expect(report).not.toMatch(/<script|https?:/);

    const [gpu, dataset] = [await openTestGpu(), await Dataset.open(DATA)];
    const model = await loadModel(gpu, join(whole, snapshots.at(-1)!));
    expect(model.labels).toEqual(["even", "odd"]);
    const known = await Promise.all(Array.from({ length: 10 }, (_, i) => dataset.item(i)));
    const seeds = Array.from({ length: 16 }, (_, i) => i);
    const { images } = await sampleHeun(model, { seeds, labels: seeds.map((seed) => seed % 2), steps: 18 });
    const rms = (a: Float32Array, b: Float32Array) =>
      Math.sqrt(a.reduce((sum, v, i) => sum + (v - b[i]!) ** 2, 0) / 64);
    const nearest = seeds.map((seed) => {
      const own = images.subarray(64 * seed, 64 * (seed + 1));
      // Of the class that was asked for.
      return Math.min(...known.filter((_, k) => k % 2 === seed % 2).map(({ image }) => rms(own, image)));
    });
    const apart = known.flatMap(({ image }, i) => known.slice(0, i).map((other) => rms(image, other.image)));
    const mean = nearest.reduce((a, b) => a + b, 0) / nearest.length;
    console.info(
      `samples are ${mean.toFixed(2)} from the nearest picture, pictures ${Math.min(...apart).toFixed(2)} or more from one another`,
    );
    expect(mean).toBeLessThan(0.6 * Math.min(...apart));
    await model.close();
    await dataset.close();
    gpu.close();
  }, 240_000);

  it("has snapshots that phema makes averages of other lengths of", async () => {
    const outdir = place("averages");
    await cliOk(["phema", "--snapshots", whole, "--std", "0.07", "--outdir", outdir]);
    expect(filesIn(outdir)).toEqual(["phema-0000006-0.070.safetensors"]);
  });

  it("goes on elsewhere from a network that is there", async () => {
    const outdir = place("begun");
    const network = join(whole, "network-snapshot-0000006-0.050.safetensors");
    const { stdout } = await cliOk(
      train(outdir, ..."--duration 16 --lr 1e-9 --cond false --network".split(" "), network),
    );
    // Of a network with classes that is trained on without them.
    expect(existsSync(join(outdir, "samples-0000000.png"))).toBe(true);
    const [before, after] = await Promise.all([network, stdout.split("\n")[0]!].map((file) => openCheckpoint(file)));
    for (const name of ["architecture", "config", "labels"])
      expect(after!.metadata[name], name).toBe(before!.metadata[name]);
    // Gains are not normalised, and such a rate moves nothing in 16 bits.
    for (const name of ["unet.out_gain", "unet.enc.8x8_block0.emb_gain"])
      expect(await after!.readF32(name)).toEqual(await before!.readF32(name));
    await Promise.all([before!.close(), after!.close()]);
    const other = await cli(train(place("wide"), "--network", network, "--channels", "16"));
    expect(sentence(other)).toContain("--network brings its own");
  });

  it("that is killed at random moments and begun again has the bits of one that was not", async () => {
    const random = seeded(Number(process.env.NCVSD_CRASH_SEED ?? 1));
    const outdir = place("killed");
    const command = train(outdir, "--duration", "6Ki", "--checkpoint", "32", "--samples", "0");
    const lines = () => (existsSync(join(outdir, "log.jsonl")) ? log(outdir).map(({ what }) => what) : []);
    // Every process writes the log anew, without what came after its state.
    const written = () => (existsSync(join(outdir, "log.jsonl")) ? statSync(join(outdir, "log.jsonl")).ino : 0);
    const since = () => lines().length - 1 - lines().lastIndexOf("start");
    // So that the kills lie all over the run, which has 24 lines.
    const most = Math.max(1, Math.round(20 / KILLS));
    let [killed, saving] = [0, 0];
    for (let kill = 0; kill < KILLS; kill++) {
      const signal = kill % 3 === 1 ? "SIGINT" : "SIGKILL";
      const before = written();
      // Lines come at a steady pace: so much after one of them any moment of an update or a save is as likely as any other.
      const [wait, delay] = [Math.floor(most * random()), 2 * pace * random()];
      let struck: Promise<void> = Promise.resolve();
      const strike = async (child: ChildProcess) => {
        while (child.exitCode === null && (written() === before || since() < wait)) await sleep(10);
        await sleep(delay);
        child.kill(signal);
      };
      const result = await cli(command, {
        onStart: (child) => {
          struck = strike(child);
        },
      });
      await struck;
      if (result.code === 0) break;
      killed++;
      if (halfSaved(outdir)) saving++;
      if (signal === "SIGINT") {
        expect(result.code, result.stderr).toBe(130);
        // Asked before its first update, it leaves what there was.
        const { images } = existsSync(join(outdir, "state")) ? state(outdir).counters : { images: 0 };
        expect(result.stderr).toContain(`Stopped after ${images} images; the same command goes on from there.`);
        expect(log(outdir).at(-1)).toMatchObject({ what: "stop", images });
      } else expect(result.signal, result.stderr).toBe("SIGKILL");
    }
    expect(killed).toBeGreaterThan(1);
    console.info(
      `killed ${killed} times on the way to ${state(outdir).counters.images} images, ${saving} times while a state was written`,
    );
    const { stderr } = await cliOk(command);
    expect(stderr).toMatch(/^going on after \d+ images/m);
    expect(state(outdir)).toEqual(state(whole));
    const counts = log(outdir).flatMap(({ what, images }) => (what === "status" && images % 256 === 0 ? [images] : []));
    expect(counts).toEqual(statuses(whole).map(({ images }) => images));
    for (const file of filesIn(whole).filter((name) => name.startsWith("network-")))
      expect(readFileSync(join(outdir, file)).equals(readFileSync(join(whole, file))), file).toBe(true);
    expect(filesIn(join(outdir, "state"))).toEqual(filesIn(join(whole, "state")));
  }, 3_600_000);

  it("goes on with the same settings and data alone, and has nothing to do when it is over", async () => {
    const over = await cliOk(train(whole, "--duration", "6Ki", "--quiet"));
    expect(over.stdout.trim()).toBe(whole);
    expect(log(whole).filter(({ what }) => what === "start")).toHaveLength(1);
    const refused = async (...more: string[]) => {
      const result = await cli(train(whole, "--duration", "8Ki", ...more));
      expect(result.code).toBe(2);
      return sentence(result);
    };
    expect(await refused("--P_mean", "-0.8")).toContain("was trained with pMean -0.5, not -0.8");
    const data = tenPictures("changed");
    const last = join(data, "00000", "img00000009.png");
    writeFileSync(last, encodePng({ width: 8, height: 8, channels: 1, data: new Uint8Array(64) }));
    expect(await refused("--data", data)).toContain("the data set is another than it was trained on");
  });
});

describe("latents", () => {
  it("become pictures at snapshots through the VAE; without it there are none, which is said", async () => {
    const vae = place("vae.safetensors");
    writeFileSync(vae, randomVae(SMALL_VAE).file);
    const names = [0, 1].map((k) => `00000/img-mean-std-0000000${k}.npy`);
    const latent = (k: number) =>
      Float32Array.from({ length: 8 * 64 }, (_, i) => (i < 256 ? Math.sin(i * (k + 1)) : 0.1));
    const members = Object.fromEntries(names.map((name, k) => [name, npy([8, 8, 8], latent(k))]));
    const data = folderOf(place("latents"), members);
    const outdir = place("from-latents");
    const short = ["--data", data, "--duration", "16"];
    const without = await cliOk(train(outdir, ...short));
    expect(without.stderr).toMatch(/^latents are no pictures: there will be no samples without --vae$/m);
    expect(filesIn(outdir).filter((file) => file.endsWith(".png"))).toEqual([]);
    await cliOk(train(outdir, ...short, "--force", "--vae", vae));
    // Four times the latents' size, and in colour, which four channels as they are would not be.
    const { data: bytes, width, channels } = png(join(outdir, "samples-0000000.png"));
    expect([channels, width > 4 * 32]).toEqual([3, true]);
    expect(bytes.some((value, i) => i % 3 === 1 && Math.abs(value - bytes[i - 1]!) > 20)).toBe(true);
    for (const [more, says] of [
      [["--vae", vae], /--vae makes pictures of latents, and --data .* holds pictures/],
      [["--data", data, "--vae", CONFIG], /tiny\.json/],
    ] as const)
      expect(sentence(await cli(train(place("refused"), ...more)))).toMatch(says);
  });
});

describe("what goes wrong", () => {
  it("a damaged picture is named; --skip-bad goes on without it; gradients that are not finite are said", async () => {
    const data = tenPictures("damaged");
    truncateSync(join(data, "00000", "img00000003.png"), 60);
    const short = ["--data", data, "--duration", "32", "--samples", "0"];
    const failed = await cli(train(place("bad"), ...short));
    expect(sentence(failed)).toMatch(/img00000003\.png.*: mend it, or go on without it with --skip-bad$/);
    // The loss is scaled until nothing finite is left, which is said.
    const outdir = place("skipped");
    const { stderr } = await cliOk(train(outdir, ...short, "--skip-bad", "--ls", "1e39", "--status", "16"));
    expect(stderr).toMatch(/img00000003\.png.*; the next picture is taken in its place/);
    expect(stderr).toMatch(/^ {2}100% of the gradient entries since then were not finite, and counted as 0$/m);
    expect(state(outdir).counters.zeroed).toBeGreaterThan(0);
    // The end leaves averages, wherever it is.
    expect(filesIn(outdir).filter((file) => file.startsWith("network-"))).toEqual([
      "network-snapshot-0000000-0.050.safetensors",
      "network-snapshot-0000000-0.100.safetensors",
    ]);
  });

  it("options that cannot be right are refused before anything is made", async () => {
    const label = place("label.json");
    writeFileSync(label, JSON.stringify({ ...tiny, label_dim: 3 }));
    for (const [more, message] of [
      [["--snapshot", "1000"], /--snapshot 1000: must be a multiple of 1024 and of --batch 16/],
      [["--batch-gpu", "5"], /--batch-gpu 5: must divide --batch 16/],
      [["--preset", "edm2"], /--preset "edm2" is none: there are fashion32, edm2-img64-xs/],
      [["--dropout", "1"], /--dropout "1": must be a number from 0 to 0\.99/],
      [["--fd", "100"], /--fd needs grey images of 32x32/],
      [["--config", label], /has label_dim 3, but --data .* makes it 2/],
      [["--ema", "0.05,0.0501"], /two are the same in three decimals/],
      [["--duration", "1Ti"], /--duration "1Ti": must be a number of images/],
    ] as const) {
      const result = await cli(train(place("refused"), ...more));
      expect(sentence(result)).toMatch(message);
      expect(result.code).toBe(2);
    }
    const missing = await cli(train(place("refused"), "--config", place("none.json")));
    expect(sentence(missing)).toMatch(/none\.json cannot be read: /);
    expect(existsSync(place("refused"))).toBe(false);
  });
});

describe("--dry-run", () => {
  it("says parameters, memory and time, and leaves nothing", async () => {
    const outdir = place("dry");
    const { stdout } = await cliOk(train(outdir, "--duration", "1Ki", "--dry-run", "--json", "--cond", "false"));
    const { parameters, gpuBytes, secondsPerUpdate, batchGpu, rounds, seconds } = JSON.parse(stdout);
    expect({ batchGpu, rounds }).toEqual({ batchGpu: 8, rounds: 2 });
    expect(parameters).toBeGreaterThan(10_000);
    expect(gpuBytes).toBeGreaterThan(4 * 8 * parameters);
    expect(seconds).toBeCloseTo(64 * secondsPerUpdate, 6);
    expect(existsSync(outdir)).toBe(false);
  });
});
