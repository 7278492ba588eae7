import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { adapter, cliOk, png, scratch } from "../support/cli.js";
import { weightsPath } from "../support/fixtures.js";

const cwd = scratch()("work");
mkdirSync(cwd, { recursive: true });

const TEACHER = ["--net", weightsPath("edm2-fashion32.safetensors")];
const ONE = ["--images", "3", "--runs", "2"];

async function restored(outdir: string, ...args: string[]) {
  const { stdout } = await cliOk(["restore", ...args, ...ONE, "--outdir", outdir, "--json", ...adapter], { cwd });
  const metrics = JSON.parse(readFileSync(join(cwd, outdir, "metrics.json"), "utf8"));
  const { text } = png(join(cwd, outdir, "000003", "sample-00.png"));
  return { ...JSON.parse(stdout), metrics, options: JSON.parse(text["ncvsd-gpu:options"]!) };
}

describe("restore --sampler", () => {
  test("a teacher takes DiffPIR where A has a posterior mean; records have it, and other settings are made anew", async () => {
    const args = ["--task", "gaussian_deblur_circ", ...TEACHER, "--steps", "6"];
    const first = await restored("diffpir", ...args);
    const settings = { lambda: 1.75, solver: "zeta", zeta: 0.3, clip: false, schedule: "ddpm-quad", steps: 6 };
    expect(first).toMatchObject({
      made: 1,
      nfe: 6,
      metrics: { sampler: { name: "diffpir", title: "DiffPIR", settings } },
    });
    expect(first.options).toMatchObject({ sampler: "diffpir", settings });
    expect(first.summary.map((row: { method: string }) => row.method)).toContain("DiffPIR, mean of 2");
    // Better than black, and from the measurement.
    expect(first.metrics.images["000003"].mean.psnr).toBeGreaterThan(15);
    // Every pixel's rank among two samples is 0, 1 or 2; two samples know one central level.
    const { coverage, rankHistogram, calibrationFactor, knownLevels } = first.metrics;
    expect(rankHistogram.counts.reduce((a: number, b: number) => a + b)).toBe(1024);
    expect(rankHistogram.bins).toBe(3);
    expect(coverage["50"]).toMatchObject({ expected: 1 / 3, observed: rankHistogram.counts[1] / 1024 });
    expect(coverage["90"].expected).toBeCloseTo(1 / 3, 9);
    expect(knownLevels).toEqual(["1/3"]);
    expect(calibrationFactor).toBeGreaterThan(0);
    const table = readFileSync(join(cwd, "diffpir/metrics.md"), "utf8");
    expect(table).toContain("So many samples know the levels 1/3 only.");
    expect(table).toContain("where 0.33 is right (0.00 to 1.00 by chance)");
    expect((await restored("diffpir", ...args)).made).toBe(0);
    const other = await restored("diffpir", ...args, "--lambda", "0.5", "--no-clip", "--solver", "ddim", "--eta", "0");
    expect(other).toMatchObject({
      made: 1,
      metrics: { sampler: { settings: { lambda: 0.5, solver: "ddim", eta: 0 } } },
    });
    expect(other.metrics.sampler.settings.zeta).toBeUndefined();
  });

  test("a teacher takes DAPS where A has none; its groups of settings are options of their own", async () => {
    const options = "--steps 3 --ode-steps 2 --mcmc hmc --mcmc-steps 4 --step 1e-6 --convention inversebench";
    const run = await restored("daps", "--task", "phase_retrieval", ...TEACHER, ...options.split(" "));
    expect(run).toMatchObject({ made: 1, nfe: 6 });
    expect(run.options).toMatchObject({
      sampler: "daps",
      settings: {
        ode: { steps: 2, sigmaMin: 0.01 },
        mcmc: { algorithm: "hmc", steps: 4, step: 1e-6, momentum: 0.73 },
        convention: "inversebench",
      },
    });
  });

  test("a distilled network takes the place of the others' denoisers", async () => {
    const options = "--sampler pnp-dm --steps 3 --anneal 2,0.5,0.4";
    const run = await restored("pnp-dm", "--task", "super_resolution", ...options.split(" "));
    expect(run).toMatchObject({ made: 1, nfe: 3 });
    expect(run.options.settings).toMatchObject({ anneal: { start: 2, decay: 0.5, end: 0.4 }, diffusion: null });
  });
});
