import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { openCheckpoint, type TensorToWrite, writeSafetensors } from "../../src/checkpoint/index.js";
import { normalSource } from "../../src/graph/run-kernel.js";
import { decodePng } from "../../src/image/png.js";
import { DEFAULTS } from "../../src/networks/edm2/config.js";
import { expectedTensors } from "../../src/networks/edm2/names.js";
import { pixelByte, toRawLatents } from "../../src/networks/vae/latents.js";
import { adapter, cli, cliOk, cliRefused } from "../support/cli.js";
import { randomVae, SMALL_VAE } from "../support/random-vae.js";
import { decode } from "../support/reference-vae.js";

const folder = mkdtempSync(join(tmpdir(), "ncvsd-vae-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const place = (name: string) => join(folder, name);

/** A network of 8x8x4 latents with random weights. */
function latentNetwork(): Uint8Array {
  const config = {
    ...DEFAULTS,
    img_resolution: 8,
    img_channels: 4,
    label_dim: 0,
    model_channels: 32,
    channel_mult: [1, 1],
    num_blocks: 1,
    attn_resolutions: [],
  };
  const random = normalSource(2);
  const tensors = [...expectedTensors("ncvsd", config)].map(([name, shape]): TensorToWrite => {
    const length = shape.reduce((a, b) => a * b, 1);
    return { name, dtype: "F32", shape, data: Float32Array.from({ length }, random) };
  });
  return writeSafetensors(tensors, { format: "pt", architecture: "ncvsd", config: JSON.stringify(config) });
}

const net = place("latent.safetensors");
const vae = place("vae.safetensors");
const { weights, file } = randomVae(SMALL_VAE);
writeFileSync(net, latentNetwork());
writeFileSync(vae, file);
const sample = ["sample", ...adapter, "--net", net, "--ts", "10", "--seeds", "0-2", "--batch", "2"];

describe("sample with a network of latents", () => {
  it("--vae: the pictures are the decoder's of the latents that --save-raw keeps", async () => {
    const [outdir, raw, grid] = [place("out"), place("raw.safetensors"), place("grid.png")];
    await cliOk([...sample, "--vae", vae, "--outdir", outdir, "--save-raw", raw, "--grid", grid]);
    const checkpoint = await openCheckpoint(raw);
    expect(checkpoint.tensors.get("images")!.shape).toEqual([3, 4, 8, 8]);
    const latents = toRawLatents(await checkpoint.readF32("images"), 64);
    await checkpoint.close();
    for (let seed = 0; seed < 3; seed++) {
      const path = join(outdir, `${String(seed).padStart(6, "0")}.png`);
      const { width, height, channels, data } = decodePng(readFileSync(path), path);
      expect([width, height, channels]).toEqual([32, 32, 3]);
      const latent = { data: Float64Array.from(latents.subarray(256 * seed, 256 * (seed + 1))), c: 4, h: 8, w: 8 };
      const expected = decode(weights, ["to_q", "to_k", "to_v", "to_out.0"], latent).data;
      const worst = data.reduce((most, byte, i) => {
        const value = expected[(i % 3) * 1024 + Math.floor(i / 3)]!;
        // Where 255 v is nearly whole, truncation may go either way.
        return Math.max(most, Math.min(...[-0.01, 0.01].map((d) => Math.abs(pixelByte(value + d / 255) - byte))));
      }, 0);
      expect(worst).toBe(0);
    }
    expect(existsSync(grid)).toBe(true);
    // The VAE belongs to what decides an image: another one makes other images.
    writeFileSync(place("other.safetensors"), randomVae(SMALL_VAE, 6).file);
    const other = await cliOk([...sample, "--vae", place("other.safetensors"), "--outdir", outdir]);
    expect(other.stderr).toMatch(/made 3 images/);
  });

  it("without --vae: raw latents and no picture, or a sentence that says what is missing", async () => {
    const [outdir, raw] = [place("none"), place("latents.safetensors")];
    const raws = ["--save-raw", raw];
    const { stderr, stdout } = await cliOk([...sample, "--precision", "auto", "--outdir", outdir, ...raws]);
    expect(stderr).toContain(`no --vae: the latents go to ${raw}, and no picture is made`);
    expect(stdout).toBe(`${raw}\n`);
    expect(existsSync(outdir)).toBe(false);
    const checkpoint = await openCheckpoint(raw);
    expect(checkpoint.tensors.get("images")!.shape).toEqual([3, 4, 8, 8]);
    await checkpoint.close();
    const refused = await cliRefused([...sample, "--outdir", outdir]);
    expect(refused.stderr).toMatch(/makes latents, which only a VAE turns into pictures: give --vae FILE .*--save-raw/);
    expect(existsSync(outdir)).toBe(false);
  });

  it("--vae has no place where the network makes pictures; a file that is no VAE is refused", async () => {
    const bundled = await cliRefused(["sample", ...adapter, "--vae", vae, "--outdir", place("none")]);
    expect(bundled.stderr).toMatch(/--vae is for networks of latents/);
    const wrong = await cli([...sample, "--vae", net, "--outdir", place("none")]);
    expect(wrong).toMatchObject({ code: 1, stdout: "" });
    expect(wrong.stderr).toMatch(/it is no AutoencoderKL/);
  });
});
