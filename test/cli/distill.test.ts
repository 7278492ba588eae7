import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { openCheckpoint } from "../../src/checkpoint/index.js";
import { decodePng, encodePng } from "../../src/image/png.js";
import { parseConfig } from "../../src/networks/edm2/config.js";
import { adapter, cli, cliOk, scratch, sentence } from "../support/cli.js";
import { folderOf } from "../support/dataset.js";
import { fixturePath } from "../support/fixtures.js";
import { openHub } from "../support/hub.js";

const place = scratch();
const TEACHER = fixturePath("training/edm2-micro.safetensors");

/** Ten colour pictures of 8x8 of five classes. */
const members: Record<string, Uint8Array> = {};
const labels: [string, number][] = [];
for (let k = 0; k < 10; k++) {
  const data = Uint8Array.from({ length: 192 }, (_, i) => (37 * i * (k + 1)) % 256);
  members[`00000/img0000000${k}.png`] = encodePng({ width: 8, height: 8, channels: 3, data });
  labels.push([`00000/img0000000${k}.png`, k % 5]);
}
members["dataset.json"] = new TextEncoder().encode(JSON.stringify({ labels }));
const DATA = folderOf(place("ten"), members);

const distill = (outdir: string, ...more: string[]) => [
  ...["distill", "--teacher", TEACHER, "--data", DATA, "--outdir", outdir, ...adapter],
  ..."--batch 8 --batch-gpu 4 --lr 0.01 --gan-warmup 16 --status 8 --ctrl-init 0.2 --ctrl-lr 0.1 --ts 0,20".split(" "),
  ...more,
];

describe("distill", () => {
  const run = place("run");
  it("leaves a generator, samples, a log, a report and a state, and goes on from it with other rates", async () => {
    const first = await cliOk(distill(run, "--duration", "32"));
    const log = () =>
      readFileSync(join(run, "log.jsonl"), "utf8")
        .trimEnd()
        .split("\n")
        .map((line) => JSON.parse(line));
    const statuses = log().filter(({ what }) => what === "status");
    expect(statuses.map(({ images }) => images)).toEqual([8, 16, 24, 32]);
    // The adversarial loss begins after 16 images.
    expect(statuses.map((entry) => "adversarial" in entry)).toEqual([false, false, true, true]);
    for (const { loss, score, critic } of statuses)
      for (const value of [loss, score, critic]) expect(Number.isFinite(value)).toBe(true);
    const file = first.stdout.split("\n")[0]!;
    expect(file).toMatch(/snapshot-0000000-0\.050\.safetensors$/);
    const checkpoint = await openCheckpoint(file);
    const { architecture, config } = parseConfig(checkpoint);
    expect([architecture, config.img_resolution, config.label_dim]).toEqual(["ncvsd", 8, 5]);
    expect((await checkpoint.readF32("dec.additional_x_weight"))[0]).not.toBe(0);
    await checkpoint.close();
    const sheet = decodePng(readFileSync(join(run, "samples-0000000.png")));
    expect(sheet.width).toBeGreaterThan(4 * 8);
    expect(readFileSync(join(run, "report.html"), "utf8")).toContain("Distilling edm2-micro.safetensors");

    const { stderr } = await cliOk(distill(run, "--duration", "40", "--gan-weight", "2"));
    expect(stderr).toContain("going on after 32 images");
    expect(stderr).toContain("from here on ganLossScaling 8 -> 2");
    expect(log().filter(({ what }) => what === "status")).toHaveLength(5);
    const refused = await cli(distill(run, "--duration", "48", "--seed", "1"));
    expect(refused.code).not.toBe(0);
    expect(sentence(refused)).toContain("seed");
  });

  it("refuses what cannot work in one sentence, and begins nothing", async () => {
    for (const [more, says] of [
      [["--preset", "fashion33"], '--preset "fashion33" is none'],
      [["--batch-gpu", "3"], "--batch-gpu 3: must divide --batch 8"],
      [["--ts", "5,5"], '--ts "5,5": 5 follows 5'],
      [["--fd", "100"], "--fd needs grey images of 32x32"],
      [["--snapshot", "1000"], "--snapshot 1000: must be a multiple of 1024"],
      // By name: the bundled teacher, though elsewhere "bundled" is the generator that was distilled from it.
      [["--teacher", "bundled"], "8x8 with 3 channels, but --teacher bundled makes 32x32 with 1 channel"],
      [["--teacher", fixturePath("ncvsd-tiny.safetensors")], "is a network of NCVSD, but one of EDM2 is needed"],
      [["--teacher", "edm2-ffhq256-xs", "--offline"], "edm2-ffhq256-xs.pkl' is not kept on this machine"],
    ] as const) {
      const outdir = place("refused");
      const refused = await cli(distill(outdir, ...more));
      expect(refused.code).not.toBe(0);
      expect(sentence(refused)).toContain(says);
      expect(existsSync(outdir)).toBe(false);
    }
  });

  it("says parameters, memory and time of all three networks, of a teacher from a hub, and leaves nothing", async () => {
    const outdir = place("dry");
    const hub = await openHub({ "me/teachers/micro.safetensors": readFileSync(TEACHER) });
    const env = { HF_ENDPOINT: hub.address, NCVSD_MODELS: place("models") };
    const named = ["--teacher", "hf://me/teachers/micro.safetensors"];
    const { stdout } = await cliOk(distill(outdir, "--duration", "1Ki", "--dry-run", ...named), { env });
    hub.close();
    const [parameters, memory, iteration, all] = stdout.trimEnd().split("\n");
    expect(parameters).toMatch(/^parameters {3}[\d,]+ in three networks$/);
    expect(memory).toMatch(/^GPU memory {3}[\d.]+ MiB with rounds of 4 images$/);
    expect(iteration).toMatch(/^iteration {4}[\d.]+ s: 8 images for each network, [\d.]+ images\/s$/);
    expect(all).toMatch(/^the run {6}.+ for 1,024 images, without snapshots$/);
    expect(existsSync(outdir)).toBe(false);
  });
});
