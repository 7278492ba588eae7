import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { SHARE_ENV, Worker } from "node:worker_threads";
import { afterAll, describe, expect, it } from "vitest";
import { driverFolder, listAdapters, loadNativeGpu, readDriverMarker } from "../../src/gpu/native.js";
import { manifestAccess, twinAccess } from "../../src/gpu/twins.js";
import { ensureSwiftShader } from "../../src/setup/index.js";
import { cli, cliOk, sentence } from "../support/cli.js";

const home = mkdtempSync(join(tmpdir(), "ncvsd-numbers-"));
afterAll(() => rmSync(home, { recursive: true, force: true }));

describe("adapters by number", () => {
  it("the first is the default; a number that is too large lists what there is", async () => {
    const all = await listAdapters();
    const own = (await (await loadNativeGpu()).requestAdapter())!.info;
    const first = (await (await loadNativeGpu({ adapter: "0" })).requestAdapter())!.info;
    expect(first.device).toBe(own.device);
    const there = all.map(({ name }, i) => `${i} "${name}"`).join(", ");
    await expect(loadNativeGpu({ adapter: "99" })).rejects.toMatchObject({
      code: "NO_ADAPTER",
      message: `There is no adapter 99: there is ${there}.`,
    });
  });

  it("longer numbers are parts of names", async () => {
    await expect(loadNativeGpu({ adapter: "4090" })).rejects.toThrow('No adapter\'s name contains "4090"');
  });
});

// `npm test` sets the variable, and says so, where SwiftShader cannot be had.
const missing = process.env.NCVSD_NO_SWIFTSHADER;
describe.skipIf(missing)(`two adapters${missing ? ` (SwiftShader is not to be had: ${missing})` : ""}`, () => {
  it("doctor numbers them, and every number opens the adapter of that line", async () => {
    await ensureSwiftShader();
    const { adapters } = JSON.parse((await cliOk(["doctor", "--json"])).stdout) as { adapters: string[] };
    expect(adapters.length).toBeGreaterThan(1);
    expect(adapters.some((name) => name.includes("SwiftShader"))).toBe(true);
    const plain = (text: string) => text.toLowerCase().replace(/[^a-z0-9]/g, "");
    for (const [i, name] of adapters.entries()) {
      const { stdout } = await cliOk(["doctor", "--adapter", String(i)]);
      expect(plain(/^adapter +(.+) \(software: /m.exec(stdout)![1]!)).toBe(plain(name));
      expect(stdout).toMatch(new RegExp(`^ +${i} {4}${name.replace(/[()]/g, "\\$&")}$`, "m"));
    }
    const wrong = await cli(["evaluate", "fd", "--n", "65", "--adapter", String(adapters.length)]);
    expect(wrong.code).toBe(1);
    expect(sentence(wrong)).toMatch(/^There is no adapter \d: there is 0 ".*SwiftShader/);
  });

  it("of one name, from drivers that are named one by one, are told apart; from one folder the second is an error", async () => {
    const icd = await ensureSwiftShader();
    const known = readDriverMarker(driverFolder())!.drivers.swiftshader!;
    const copies = ["a", "b"].map((name) => {
      const folder = join(home, name);
      cpSync(dirname(icd), folder, { recursive: true });
      return join(folder, known.icd.split("/").at(-1)!);
    });
    const env = { VK_DRIVER_FILES: copies.join(":"), VK_ICD_FILENAMES: "" };
    for (const number of ["0", "1"]) {
      const { stdout } = await cliOk(["doctor", "--adapter", number], { env });
      expect(stdout).toMatch(/^ +0 {4}SwiftShader .*\n +1 {4}SwiftShader /m);
    }
    const both = join(home, "both");
    mkdirSync(both);
    for (const [i, file] of copies.entries()) {
      const manifest = JSON.parse(readFileSync(file, "utf8"));
      manifest.ICD.library_path = join(dirname(file), manifest.ICD.library_path);
      writeFileSync(join(both, `${i}.json`), JSON.stringify(manifest));
    }
    const folder = { VK_DRIVER_FILES: both, VK_ICD_FILENAMES: "" };
    expect(sentence(await cli(["doctor", "--adapter", "1"], { env: folder }))).toMatch(
      /^Adapter 1 cannot be told from adapter 0 by its name, "SwiftShader .*--gres=gpu:1.*device selection layer/,
    );
  });
});

describe("in a worker thread", () => {
  const inWorker = (adapter: string | undefined, shared: boolean) =>
    new Promise<string>((resolve, reject) => {
      const code = `
        const { parentPort, workerData } = require("node:worker_threads");
        import(workerData.url).then(async ({ openGpu }) => {
          const gpu = await openGpu(workerData.adapter ? { adapter: workerData.adapter } : {});
          parentPort.postMessage(gpu.info.device);
          gpu.close();
        }).catch((error) => parentPort.postMessage(error.code + " " + error.message));`;
      const url = pathToFileURL(join(import.meta.dirname, "../../dist/src/index.js")).href;
      const worker = new Worker(code, {
        eval: true,
        workerData: { adapter, url },
        ...(shared ? { env: SHARE_ENV } : {}),
      });
      worker.once("message", resolve);
      worker.once("error", reject);
    });

  it("the default adapter opens as in the main thread", async () => {
    const own = (await (await loadNativeGpu()).requestAdapter())!.info.device;
    expect(await inWorker(undefined, false)).toBe(own);
  });

  it.skipIf(missing)("a driver of the cache opens with SHARE_ENV; without it one sentence says so", async () => {
    await ensureSwiftShader();
    expect(await inWorker("swiftshader", true)).toMatch(/swiftshader/i);
    expect(await inWorker("swiftshader", false)).toMatch(
      /^NO_ADAPTER This worker thread cannot point Vulkan .* process\.env is a copy.*SHARE_ENV/,
    );
  });
});

describe("drivers named one by one", () => {
  const env = { VK_DRIVER_FILES: "/a.json:/b.json" };
  const list = async () => ["A100"];

  it("give each adapter its own, unless one of them gives several or another", async () => {
    const second = { VK_DRIVER_FILES: "/b.json", VK_ICD_FILENAMES: "/b.json" };
    expect(await manifestAccess(["A100", "A100"], 1, list, env)).toEqual(second);
    expect(await manifestAccess(["A100", "A100", "A100"], 1, list, env)).toBeUndefined();
    expect(await manifestAccess(["A100", "T4"], 0, list, env)).toBeUndefined();
    expect(await manifestAccess(["A100", "A100"], 1, async () => ["A100", "A100"], env)).toBeUndefined();
    expect(await manifestAccess(["A100"], 0, list, {})).toBeUndefined();
  });
});

/** A folder as /sys/bus/pci/devices: addresses with class, vendor and device. */
function pci(name: string, devices: Record<string, readonly [string, string, string]>): string {
  const folder = join(home, name);
  for (const [address, [kind, vendor, device]] of Object.entries(devices)) {
    mkdirSync(join(folder, address), { recursive: true });
    for (const [file, text] of Object.entries({ class: kind, vendor, device }))
      writeFileSync(join(folder, address, file), `${text}\n`);
  }
  return folder;
}

describe("adapters of one name", () => {
  const gpu = ["0x030200", "0x10de", "0x20b0"] as const;
  const server = {
    "0000:00:1f.0": ["0x060100", "0x8086", "0xa1c1"],
    "0000:03:00.0": ["0x030000", "0x1a03", "0x2000"],
    "0000:3b:00.0": gpu,
    "0000:86:00.0": gpu,
  } as const;
  /** Mesa's layer: one adapter alone, and the default one where it does not know the address; here all are A100s. */
  const layer = async (env: Record<string, string>) => {
    expect(env).toMatchObject({ MESA_VK_DEVICE_SELECT_FORCE_DEFAULT_DEVICE: "1" });
    return ["A100"];
  };

  it("are told apart by their PCI addresses, in that order", async () => {
    const folder = pci("server", server);
    for (const [which, tag] of ["pci-0000_3b_00_0", "pci-0000_86_00_0"].entries()) {
      const env = await twinAccess({ name: "A100", which, count: 2 }, layer, folder);
      expect(env).toEqual({ MESA_VK_DEVICE_SELECT_FORCE_DEFAULT_DEVICE: "1", DRI_PRIME: tag });
    }
  });

  it("are not guessed at: without the layer, with another number of devices, or of two models", async () => {
    const twin = { name: "A100", which: 1, count: 2 };
    const folder = pci("server", server);
    expect(await twinAccess(twin, async () => ["A100", "A100"], folder)).toBeUndefined();
    expect(await twinAccess(twin, async () => ["llvmpipe"], folder)).toBeUndefined();
    expect(await twinAccess({ ...twin, count: 3 }, layer, folder)).toBeUndefined();
    const more = pci("more", {
      ...server,
      "0000:c1:00.0": ["0x120000", "0x1da3", "0x1"],
      "0000:c2:00.0": ["0x120000", "0x1da3", "0x1"],
    });
    expect(await twinAccess(twin, layer, more)).toBeUndefined();
    expect(await twinAccess(twin, layer, join(home, "no such folder"))).toBeUndefined();
  });
});
