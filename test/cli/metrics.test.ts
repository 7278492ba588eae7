import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { beforeAll, describe, expect, it } from "vitest";
import { writeSafetensors } from "../../src/checkpoint/index.js";
import { ZipWriter } from "../../src/data/zip-writer.js";
import type { FdResult } from "../../src/evaluate/result.js";
import { momentsOf, statisticsOf } from "../../src/evaluate/statistics.js";
import type { Gpu } from "../../src/gpu/device.js";
import { planarFromImages, type RawImage } from "../../src/image/pixels.js";
import { encodePng } from "../../src/image/png.js";
import { frechetDistance, loadFeatures, readStatistics } from "../../src/index.js";
import { uniforms } from "../../src/random/uniforms.js";
import { adapter, cli, cliOk, scratch, sentence } from "../support/cli.js";
import { withTestGpu } from "../support/gpu.js";
import { drawDinov2, drawInception, type Weights } from "../support/reference-features.js";

const place = scratch();
const cwd = place("work");
const at = (name: string) => `${cwd}/${name}`;
const files = ["--inception", "inception.safetensors", "--dinov2", "dinov2.safetensors"];
const evaluate = (...args: string[]) => cli(["evaluate", ...args, ...adapter], { cwd });

const picture = (seed: number, channels: 1 | 3 | 4 = 3): RawImage => {
  const random = uniforms(seed, 0);
  const data = Uint8Array.from({ length: 20 * 14 * channels }, () => (200 - 20 * (seed % 5)) * random());
  return { width: 20, height: 14, channels, data };
};
/** In the order of their paths as text. */
const names = ["0.png", "10.png", "2.png", "sub/1.png", "sub/3.png"];

beforeAll(() => {
  const save = (name: string, weights: Weights) =>
    writeFileSync(
      at(name),
      writeSafetensors([...weights].map(([tensor, { shape, data }]) => ({ name: tensor, dtype: "F32", shape, data }))),
    );
  mkdirSync(at("pictures/sub"), { recursive: true });
  save("inception.safetensors", drawInception(1));
  const vit = { width: 64, blocks: 1, heads: 1, hidden: 64, gated: false, registers: 0, grid: 4 };
  save("dinov2.safetensors", drawDinov2(5, vit));
  for (const [i, name] of names.entries()) writeFileSync(at(`pictures/${name}`), encodePng(picture(i)));
  const pieces: Uint8Array[] = [];
  const zip = new ZipWriter((bytes) => pieces.push(bytes.slice()));
  for (let i = 0; i < 6; i++) zip.add(`data/${i}.png`, encodePng(picture(20 + i)));
  zip.finish();
  writeFileSync(at("data.zip"), Buffer.concat(pieces));
});

describe("FID and FD-DINOv2 of stored pictures", () => {
  let gpu: Gpu;
  withTestGpu((own) => (gpu = own));

  it("are by features of both networks in one pass, to statistics that one command wrote", async () => {
    const { stderr } = await cliOk(
      ["evaluate", "ref", "--data", "data.zip", "--dest", "ref.pkl", ...files, ...adapter],
      {
        cwd,
      },
    );
    expect(stderr).toContain("fid: inception-v3-fid (nvidia), 128 features");
    expect(stderr).toContain("data.zip: 6 images do not determine the covariance of 128 features");
    const ref = await readStatistics(at("ref.pkl"));
    expect(Object.keys(ref.metrics!)).toEqual(["fid", "fd_dinov2"]);
    expect(ref).toMatchObject({ metric: "fid", count: 6, network: "inception-v3-fid", variant: "nvidia" });
    expect(readdirSync(cwd).filter((name) => name.includes("features"))).toEqual([]);

    // A random choice as the reference's, in two shards.
    const calc = ["calc", "--images", "pictures", "--num", "4", "--seed", "1", "--ref", "ref.pkl", "--out", "r.json"];
    for (const shard of ["1/2", "2/2"]) await evaluate(...calc, ...files, "--shard", shard, "--quiet");
    const merge = ["evaluate", "merge", "r-1-of-2.json", "r-2-of-2.json", "--ref", "ref.pkl", "--dest", "own.pkl"];
    const { stdout } = await cliOk([...merge, "--json"], { cwd });
    const result = JSON.parse(stdout) as FdResult;
    const { bytes, shape } = planarFromImages([0, 1, 2, 4].map((i) => picture(i)));
    for (const [metric, file] of [
      ["fid", "inception.safetensors"],
      ["fd_dinov2", "dinov2.safetensors"],
    ] as const) {
      const network = await loadFeatures(gpu, at(file));
      const rows = await network.features({ images: bytes, shape });
      const own = statisticsOf(momentsOf(rows, network.dims));
      expect(result.metrics![metric]).toBeCloseTo(frechetDistance(own, ref.metrics![metric]!), 6);
      expect((await readStatistics(at("own.pkl"), { metric })).mean).toEqual(own.mean);
      await network.close();
    }
    expect(result.others!.map(({ features }) => features.metric)).toEqual(["fd_dinov2"]);
    expect(result.remarks!.join()).toContain(
      "published figures of fid are by inception-v3-fid (nvidia, 2048 features)",
    );
  });

  it("print as the reference's; alpha is dropped; a metric that the reference lacks is left out", async () => {
    mkdirSync(at("clear"));
    for (let i = 0; i < 2; i++) writeFileSync(at(`clear/${i}.png`), encodePng(picture(i, 4)));
    const write = ["ref", "--data", "clear", "--dest", "one.npz", "--metrics", "fid", "--fid-variant", "pytorch-fid"];
    expect((await evaluate(...write, ...files)).stderr).toContain("alpha channel: it is dropped");
    const read = ["calc", "--images", "clear", "--ref", "one.npz", "--fid-variant", "pytorch-fid"];
    const { stdout, stderr } = await evaluate(...read, ...files);
    expect(stdout).toMatch(/^fid = 0\n {2}2 images against one\.npz, by inception-v3-fid \(pytorch-fid\)/);
    expect(stderr).toContain("one.npz has no statistics of fd_dinov2: it is left out");
  });

  it("are of a network's images too, with classes drawn as the reference draws them", async () => {
    const fd = ["fd", "--ts", "10", "--n", "6", "--classes", "random", "--ref", "ref.pkl", "--json", ...files];
    const { stdout } = await evaluate(...fd);
    const result = JSON.parse(stdout) as FdResult;
    expect(Object.keys(result.metrics!)).toEqual(["fid", "fd_dinov2"]);
    expect(result.fd).toBe(result.metrics!.fid);
    expect(result.options.class).toBe("random");
    const kid = ["kid", "--images", "pictures", "--data", "data.zip", "--inception", "inception.safetensors", "--json"];
    const { figures } = JSON.parse((await evaluate(...kid)).stdout) as { figures: { features: { metric: string } }[] };
    expect(figures).toMatchObject([{ features: { metric: "fid" }, subsets: 100, subset: 5 }]);
  });

  it("are refused in one sentence where they would mean nothing", async () => {
    const fails = async (...args: string[]) => sentence(await evaluate(...args, "--quiet"));
    const calc = ["calc", "--images", "pictures", "--ref", "ref.pkl"];
    expect(await fails(...calc, ...files, "--fid-variant", "pytorch-fid")).toMatch(
      /^ref\.pkl and the features of inception-v3-fid are of different variants, nvidia and pytorch-fid/,
    );
    expect(await fails(...calc, "--metrics", "fid")).toMatch(/name the file with --inception/);
    expect(await fails(...calc, "--metrics", "kid")).toMatch(/"kid" is no metric; there is fid, fd_dinov2/);
    expect(await fails(...calc, "--inception", "dinov2.safetensors")).toMatch(
      /fid needs Inception-v3 of FID, but .* holds/,
    );
    expect(await fails(...calc, ...files, "--num", "50000")).toMatch(/has 5 images, fewer than --num 50000/);
    expect(
      await fails("calc", "--images", "pictures", "--ref", "https://localhost:1/x.pkl", "--offline", ...files),
    ).toMatch(/x\.pkl. is not kept on this machine: fetch it once without --offline/);
    writeFileSync(at("clear/2.png"), encodePng(picture(0)));
    expect(await fails("ref", "--data", "clear", "--dest", "x.pkl", ...files)).toMatch(
      /2\.png is 20x14 with 3 channels, but .*0\.png is 20x14 with 4 channels/,
    );
    expect(await fails("ref", "--data", "data.zip", "--dest", "x.npz", ...files)).toMatch(/statistics of one metric/);
    expect(await fails("ref", "--data", "data.zip", "--dest", "x.npz", "--metrics", "fd_dinov2", ...files)).toMatch(
      /an \.npz is read as statistics of fid, and these are of fd_dinov2/,
    );
    expect(readFileSync(at("ref.pkl"), "latin1").slice(0, 40)).toContain("ncvsd-gpu");
  });
});
