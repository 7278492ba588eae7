import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { networkPreset } from "../../src/networks/edm2/presets.js";
import { published } from "../../src/networks/edm2/published.js";
import { adapter, cli, cliOk, rawImages, scratch, sentence } from "../support/cli.js";
import { fixturePath } from "../support/fixtures.js";
import { type Hub, openHub } from "../support/hub.js";
import { snapshotPath } from "../support/snapshots.js";

const place = scratch();
let hub: Hub;
let env: Record<string, string>;
beforeAll(async () => {
  hub = await openHub({
    // What the authors have put there is a pickle; this one has the same form and is small.
    "xypeng9903/ncvsd/ncvsd-ffhq256-xs.pkl": readFileSync(snapshotPath("ncvsd-tiny")),
    "me/mine/net.safetensors": readFileSync(fixturePath("ncvsd-tiny.safetensors")),
  });
  env = { HF_ENDPOINT: hub.address, NCVSD_MODELS: place("models") };
});
afterAll(() => hub.close());

describe("a network comes from its address", () => {
  it("a published pickle by its name, a hub's file and a local file are the same network", async () => {
    const images: Awaited<ReturnType<typeof rawImages>>[] = [];
    for (const net of ["ncvsd-ffhq256-xs", "me/mine", fixturePath("ncvsd-tiny.safetensors")]) {
      const [raw, outdir] = [place(`${images.length}.safetensors`), place(String(images.length))];
      const seeds = ["--seeds", "3", "--ts", "22", "--quiet"];
      await cliOk(["sample", ...adapter, "--net", net, ...seeds, "--outdir", outdir, "--save-raw", raw], { env });
      images.push(await rawImages(raw));
    }
    expect(images[0]).toEqual(images[2]);
    expect(images[1]).toEqual(images[2]);
    hub.log.length = 0;
    const { stdout } = await cliOk(["inspect", "--json", "ncvsd-ffhq256-xs"], { env: { ...env, NCVSD_OFFLINE: "1" } });
    expect(JSON.parse(stdout)).toMatchObject({ architecture: "ncvsd" });
    expect(hub.log).toEqual([]);
    for (const [name, architecture] of [
      ["bundled", "ncvsd"],
      ["bundled-teacher", "edm2"],
    ] as const)
      expect(JSON.parse((await cliOk(["inspect", "--json", name])).stdout)).toMatchObject({ architecture });
  });

  it("another sum, a network that was never fetched, a name that is none: one sentence each", async () => {
    const sample = (...args: string[]) => cli(["sample", ...adapter, "--outdir", place("none"), ...args], { env });
    const wrong = await sample("--net", "me/mine", "--sha256", "0".repeat(64));
    expect(wrong.code).toBe(1);
    expect(sentence(wrong)).toMatch(/net\.safetensors' has the SHA-256 [0-9a-f]{64} where 0{64} is expected/);
    const offline = await sample("--net", "edm2-ffhq256-xs", "--offline");
    expect(sentence(offline)).toMatch(/edm2-ffhq256-xs\.pkl' is not kept on this machine/);
    const unknown = await sample("--preset", "edm2-img64-s-fidd");
    expect(unknown.code).toBe(2);
    expect(sentence(unknown)).toMatch(/did you mean edm2-img64-s-fid\?/);
  });

  it("the published networks are listed, and each is of a size that is known", async () => {
    const { stdout } = await cliOk(["sample", "--preset", "help"]);
    expect(
      stdout
        .trim()
        .split("\n")
        .every((line) => line.length <= 80),
    ).toBe(true);
    expect(stdout).toMatch(/edm2-img512-xxl-autog-dino .* 2\.3 {2}FD-DINOv2 24\.18/);
    const names = Object.keys(published);
    expect(names.filter((name) => name.startsWith("edm2-img"))).toHaveLength(36);
    for (const name of names) expect(networkPreset(name.split("-").slice(0, 3).join("-"))).toBeDefined();
    expect(published["edm2-img512-s-uncond-autog-fid"]).toMatchObject({
      net: expect.stringMatching(/\/edm2-img512-s-uncond-2147483-0\.070\.pkl$/),
      gnet: expect.stringMatching(/\/edm2-img512-xs-uncond-0134217-0\.110\.pkl$/),
      guidance: 2.85,
    });
  });
});
