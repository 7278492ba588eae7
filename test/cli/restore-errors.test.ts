import { existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { encodePng } from "../../src/image/png.js";
import { adapter, cli, cliOk, scratch, sentence } from "../support/cli.js";
import { weightsPath } from "../support/fixtures.js";

const cwd = scratch()("work");
const out = (name: string) => join(cwd, name);
const args = (line: string) => ["restore", ...line.split(" "), ...adapter];

function picture(name: string, side: number, channels: 1 | 3 = 1, byte = 0): void {
  const data = new Uint8Array(side * side * channels).fill(byte);
  writeFileSync(out(name), encodePng({ width: side, height: side, channels, data }));
}

beforeAll(() => {
  mkdirSync(out("empty"), { recursive: true });
  picture("big.png", 64);
  picture("rgb.png", 32, 3);
  picture("mask16.png", 16, 1, 255);
  picture("grey32.png", 32, 1, 255);
  picture("kernel33.png", 33, 1, 1);
  writeFileSync(out("text.png"), "no picture");
  writeFileSync(out("broken.mjs"), "export default 3;");
  const own = (name: string, forward: string, more = "") =>
    writeFileSync(
      out(`${name}.mjs`),
      `export default (gpu, { shape }) => ({ name: "mine", shape, measurementShape: shape, forward: ${forward}, energyGradient: async ({ x }) => x ${more} });`,
    );
  own("hangs", "() => new Promise(() => {})");
  own("gives-null", "async () => null");
  own("gives-nan", "async (x) => x.map(() => NaN)");
  own("gives-short", "async (x) => x.slice(1)");
  own("throws-text", "async () => { throw 'no lens'; }");
  own("throws-nothing", "() => { throw undefined; }");
  own("exits", "() => process.exit(0)");
  own("exits-later", "async (x) => { setTimeout(() => process.exit(0), 1); return new Promise(() => {}); }");
  own("no-shape", "async (x) => x", ", measurementShape: [0]");
  writeFileSync(out("waits.mjs"), "await new Promise(() => {}); export default 3;");
  writeFileSync(out("never-made.mjs"), "export default () => new Promise(() => {});");
  writeFileSync(out("leaves.mjs"), "process.exit(0); export default 3;");
  writeFileSync(out("throws.mjs"), "export default () => { throw new Error('no lens'); };");
});

describe("what cannot be restored is said in one sentence, and nothing is written", () => {
  test.each([
    ["no task", "--runs 1", 2, /^name a task with --task/],
    ["an unknown task", "--task deblur", 2, /--task "deblur" is not known: there are box_inpainting/],
    ["another task's option", "--task phase_retrieval --factor 2", 2, /--factor is for super_resolution/],
    ["a factor that is not offered", "--task super_resolution --factor 3", 2, /must be 2, 4, 8 or 16/],
    ["no runs", "--task box_inpainting --runs 0", 2, /--runs "0": must be/],
    ["an image of another size", "--task box_inpainting --data big.png --fit none", 2, /big.png is 64x64, but 32x32/],
    [
      "measurements of other channels",
      "--task box_inpainting --measurement rgb.png",
      2,
      /rgb.png is 32x32 with 3 channels/,
    ],
    ["an empty folder", "--task box_inpainting --data empty", 2, /empty has no images/],
    ["a file that is no image", "--task box_inpainting --data text.png", 2, /text.png is not a PNG file/],
    ["data that are not there", "--task box_inpainting --data nowhere", 1, /^nowhere is not there$/],
    ["a mask that is not there", "--task box_inpainting --mask none.png", 1, /^none.png is not there$/],
    ["a mask of another size", "--task box_inpainting --mask mask16.png", 2, /mask16.png is 16x16.*32x32.*must fit/],
    ["a kernel larger than the image", "--task motion_deblur_circ --kernel kernel33.png", 2, /33x33, larger than/],
    [
      "a kernel size too large",
      "--task gaussian_deblur_circ --kernel-size 61",
      2,
      /61 is larger than the images of side 32/,
    ],
    ["images and measurements", "--task box_inpainting --data a.png --measurement b.png", 2, /exclude each other/],
    ["a place without an image", "--task box_inpainting --images 64", 2, /--images 64: .* has images 0 to 63/],
    [
      "PnP-GD with a teacher",
      `--task box_inpainting --sampler pnp-gd --net ${weightsPath("edm2-fashion32.safetensors")}`,
      2,
      /is an EDM2 teacher: diffpir, type2, daps/,
    ],
    [
      "an unknown sampler",
      "--task box_inpainting --sampler ddrm",
      2,
      /--sampler "ddrm" is not known: .*pnp-gd, diffpir/,
    ],
    [
      "an option of another sampler",
      "--task box_inpainting --sampler daps --lambda 2",
      2,
      /--lambda is for diffpir; the sampler daps takes --ode-steps, .*--tau/,
    ],
    [
      "an option of a sampler that is not the default",
      "--task box_inpainting --tau 2",
      2,
      /--tau is for daps; .*pnp-gd takes/,
    ],
    [
      "a solver's option with another solver",
      "--task box_inpainting --sampler diffpir --eta 1",
      2,
      /eta belongs to the solver ddim/,
    ],
    [
      "a step that diverges",
      "--task box_inpainting --sampler daps --step 1",
      2,
      /--step 1 with tau 0.01 diverges at level 0.* would hold/,
    ],
    ["numbers of a group", "--task box_inpainting --sampler pnp-dm --anneal 10,0.9", 2, /3 numbers, start, decay, end/],
    ["Langevin options for a closed form", "--task box_inpainting --c1 1", 2, /--c1, --c2 .* are for Langevin steps/],
    ["an exact step that is not there", "--task phase_retrieval --likelihood exact", 2, /has no exact likelihood step/],
    [
      "settings that nobody made",
      "--task box_inpainting --sampler diffpir --settings calibrated",
      2,
      /there are none of diffpir/,
    ],
    ["levels chosen twice", "--task box_inpainting --settings calibrated --rho 7", 2, /leave --rho out/],
    ["classes that are not there", "--task box_inpainting --measurement grey32.png --labels file", 2, /has no class/],
    ["amplitudes from a picture", "--task phase_retrieval --measurement amplitude64.png", 2, /holds bytes/],
    ["levels that do not descend", "--task box_inpainting --sigma-min 90", 2, /--sigma-min 90 must not be above/],
    ["an operator that is none", "--operator broken.mjs", 2, /broken.mjs must export by default a function/],
    ["an operator that never answers", "--operator hangs.mjs", 2, /^forward of the operator mine never answered/],
    [
      "an operator of null",
      "--operator gives-null.mjs",
      2,
      /^forward of the operator mine .* 4096 values, and gave null\.$/,
    ],
    ["an operator of NaN", "--operator gives-nan.mjs", 1, /^forward of the operator mine gave NaN at index 0/],
    [
      "an operator of too little",
      "--operator gives-short.mjs",
      2,
      /operator mine must give .* 4096 values, and gave one of 4095\.$/,
    ],
    ["an operator that throws text", "--operator throws-text.mjs", 2, /forward of the operator mine failed: "no lens"/],
    ["an operator that throws nothing", "--operator throws-nothing.mjs", 2, /operator mine failed: undefined\.$/],
    [
      "an operator that exits",
      "--operator exits.mjs",
      1,
      /exits.mjs ended the process .*: forward of the operator mine/,
    ],
    ["an operator that exits later", "--operator exits-later.mjs", 1, /exits-later.mjs ended the process before/],
    ["an operator of no shape", "--operator no-shape.mjs", 2, /operator mine: measurementShape must be a list/],
    ["a module that waits", "--operator waits.mjs", 2, /^the module of --operator waits.mjs never answered/],
    [
      "a function that waits",
      "--operator never-made.mjs",
      2,
      /^the function of --operator never-made.mjs never answered/,
    ],
    ["a module that exits", "--operator leaves.mjs", 1, /leaves.mjs ended the process .*: the module of --operator/],
    ["an operator that fails", "--operator throws.mjs", 2, /throws.mjs failed: no lens/],
    ["an output folder that is a file", "--task box_inpainting --outdir text.png", 2, /text.png is a file/],
  ])("%s", async (_, line, status, message) => {
    if (line.includes("amplitude64")) picture("amplitude64.png", 64);
    const where = line.includes("--outdir") ? [] : ["--outdir", "nothing"];
    const result = await cli([...args(line), ...where, "--steps", "2", "--quiet"], { cwd });
    // A usage error of the parser is followed by a hint at --help.
    const said = result.stderr.includes("--help") ? result.stderr.replace(/^ncvsd-gpu: /, "") : sentence(result);
    expect(said).toMatch(message);
    expect([result.code, result.stdout]).toEqual([status, ""]);
    expect(existsSync(out("nothing"))).toBe(false);
  });

  test("another program's files are not overwritten", async () => {
    const line = args("--task box_inpainting --steps 2 --runs 1 --images 0 --outdir mine --quiet");
    await cliOk(line, { cwd });
    rmSync(out("mine/000000/result.json"));
    picture("mine/000000/mean.png", 8);
    const refused = await cli(line, { cwd });
    expect([refused.code, sentence(refused)]).toEqual([2, expect.stringMatching(/mean.png is there and was not made/)]);
    writeFileSync(out("mine/metrics.json"), "{}");
    const report = await cli(line, { cwd });
    expect([report.code, sentence(report)]).toEqual([
      2,
      expect.stringMatching(/metrics.json is there and was not made by ncvsd-gpu/),
    ]);
    await cliOk([...line, "--force"], { cwd });
  });
});
