import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { decodePng, encodePng } from "../../src/image/png.js";
import { adapter, cli, cliOk, filesIn, scratch, sentence } from "../support/cli.js";
import { fixturePath } from "../support/fixtures.js";

const place = scratch();
const TEACHER = fixturePath("edm2-tiny.safetensors");
const GUIDE = fixturePath("edm2-tiny-uncond.safetensors");

describe("reproduce", () => {
  it("makes a picture of several classes again, byte by byte, and sees an edit", async () => {
    const outdir = place("some");
    await cliOk([
      "sample",
      ...adapter,
      "--seeds",
      "4,5",
      "--class",
      "3,8",
      "--ts",
      "10",
      "--outdir",
      outdir,
      "--quiet",
    ]);
    expect(filesIn(outdir)).toEqual(["000004.png", "000005.png", "run.json"]);
    const file = join(outdir, "000005.png");
    const picture = decodePng(readFileSync(file));
    expect(picture.text["ncvsd-gpu:class"]).toBe("8");
    const again = await cliOk(["reproduce", ...adapter, file, "--json", "--out", place("again.png")]);
    expect(JSON.parse(again.stdout)).toMatchObject({ seed: 5, identical: true, reproduced: true, different: 0 });
    expect(readFileSync(place("again.png")).equals(readFileSync(file))).toBe(true);

    picture.data[100]! ^= 64;
    writeFileSync(place("edited.png"), encodePng(picture, picture.text));
    const edited = await cli(["reproduce", ...adapter, place("edited.png")]);
    expect(edited.code).toBe(1);
    expect(sentence(edited)).toMatch(/is not what it says: 1 of 1024 bytes differ, by up to 64/);
  });

  it("asks for the networks that a picture was made with", async () => {
    const outdir = place("guided");
    const settings = ["--steps", "3", "--guidance", "1.5", "--S_churn", "10"];
    await cliOk([
      "sample",
      ...adapter,
      "--net",
      TEACHER,
      "--gnet",
      GUIDE,
      ...settings,
      "--seeds",
      "1",
      "--outdir",
      outdir,
    ]);
    const file = join(outdir, "000001.png");
    const other = await cli(["reproduce", ...adapter, file]);
    expect(other.code).toBe(2);
    expect(sentence(other)).toMatch(/made with edm2-tiny\.safetensors .* is another: name the file with --net/);
    expect(sentence(await cli(["reproduce", ...adapter, file, "--net", TEACHER]))).toMatch(/name its file with --gnet/);
    const { stdout } = await cliOk(["reproduce", ...adapter, file, "--net", TEACHER, "--gnet", GUIDE]);
    expect(stdout).toBe("reproduced: every byte is the same\n");
  });

  it("makes pictures of restore again, by the run's own command", async () => {
    const outdir = place("restored");
    const settings = ["--task", "hadamard", "--sampler", "diffpir", "--steps", "3", "--runs", "2", "--images", "3"];
    await cliOk(["restore", ...adapter, ...settings, "--json", `--outdir=${outdir}`]);
    for (const name of ["sample-01.png", "measurement.png"]) {
      const { stdout } = await cliOk(["reproduce", ...adapter, join(outdir, "000003", name)]);
      expect(stdout, name).toBe("reproduced: every byte is the same\n");
    }
    const file = join(outdir, "000003", "sample-01.png");
    const picture = decodePng(readFileSync(file));
    picture.data[100]! ^= 64;
    writeFileSync(join(outdir, "000003", "mean.png"), encodePng(picture, picture.text));
    const edited = await cli(["reproduce", ...adapter, join(outdir, "000003", "mean.png")]);
    expect(edited.code).toBe(1);
    expect(sentence(edited)).toMatch(/is not what it says: \d+ of 1024 bytes differ/);

    const record = join(outdir, "metrics.json");
    const metrics = JSON.parse(readFileSync(record, "utf8"));
    const refused = async (change: object) => {
      writeFileSync(record, JSON.stringify({ ...metrics, ...change }));
      return sentence(await cli(["reproduce", ...adapter, file]));
    };
    expect(await refused({ options: { ...metrics.options, seed: 1 } })).toMatch(/is that of another run/);
    expect(await refused({ command: [...metrics.command, "--operator=mine.js"] })).toMatch(/an operator of your own/);
    expect(await refused({ command: [...metrics.command, "--bits", "3"] })).toMatch(
      /failed: --bits is for quantization/,
    );
    rmSync(record);
    expect(sentence(await cli(["reproduce", ...adapter, file]))).toMatch(/which has its command, is not there/);
  });

  it("refuses a picture that does not say how it was made", async () => {
    writeFileSync(place("plain.png"), encodePng({ width: 1, height: 1, channels: 1, data: Uint8Array.of(7) }));
    expect(sentence(await cli(["reproduce", place("plain.png")]))).toMatch(/does not say how it was made/);
  });
});
