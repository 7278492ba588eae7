import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import {
  type CachedDriver,
  defaultAccess,
  driverAccess,
  driverFolder,
  loadNativeGpu,
  MARKER_FILE,
  noAdapterSentence,
  readDriverMarker,
  sameAdapter,
} from "../../src/gpu/native.js";
import { checkSha256, icdManifest, placeDriver, stagingFolder, updateMarker } from "../../src/setup/cache.js";
import { ensureSwiftShader, probeAdapter, setUpAdapter } from "../../src/setup/index.js";

const driver: CachedDriver = {
  icd: "d-1/icd.json",
  preload: ["d-1/libvulkan.so.1"],
  adapter: "llvmpipe (LLVM 15)",
  source: "test",
};

let home = "";
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "ncvsd-cache-"));
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(home, { recursive: true, force: true });
});

/** From here on, the cache folder is an empty one of this test. */
function ownCache(): string {
  vi.stubEnv("XDG_CACHE_HOME", home);
  return driverFolder();
}

describe("the marker", () => {
  it("lies under XDG_CACHE_HOME, else under ~/.cache", () => {
    expect(driverFolder({ XDG_CACHE_HOME: "/x" })).toBe("/x/ncvsd-gpu/driver");
    expect(driverFolder({})).toMatch(/\.cache\/ncvsd-gpu\/driver$/);
  });
  it("is read back as written, without drivers whose files are gone", () => {
    mkdirSync(join(home, "d-1"));
    writeFileSync(join(home, driver.icd), "{}");
    updateMarker((m) => ({ ...m, default: "a", drivers: { a: driver, b: { ...driver, icd: "gone/icd.json" } } }), home);
    expect(readDriverMarker(home)).toEqual({ format: 1, default: "a", exclusive: false, drivers: { a: driver } });
    expect(readdirSync(home).sort()).toEqual(["d-1", MARKER_FILE]);
    rmSync(join(home, "d-1"), { recursive: true });
    expect(readDriverMarker(home)).toEqual({ format: 1, default: null, exclusive: false, drivers: {} });
  });
  it("counts as absent when it is damaged or of another format", () => {
    expect(readDriverMarker(home)).toBeNull();
    for (const text of ["", "{", "null", "[]", '{"format":2,"drivers":{}}', '{"format":1,"drivers":null}']) {
      writeFileSync(join(home, MARKER_FILE), text);
      expect(readDriverMarker(home)).toBeNull();
    }
  });
});

describe("access to a cached driver", () => {
  it("alone hides the system's drivers, under both names of the variable", () => {
    expect(driverAccess("/c", driver, true, {})).toEqual({
      preload: ["/c/d-1/libvulkan.so.1"],
      env: { VK_DRIVER_FILES: "/c/d-1/icd.json", VK_ICD_FILENAMES: "/c/d-1/icd.json" },
    });
  });
  it("otherwise adds to the system's and to the user's additions", () => {
    expect(driverAccess("/c", driver, false, {}).env).toEqual({ VK_ADD_DRIVER_FILES: "/c/d-1/icd.json" });
    expect(driverAccess("/c", driver, false, { VK_ADD_DRIVER_FILES: "/u" }).env).toEqual({
      VK_ADD_DRIVER_FILES: "/c/d-1/icd.json:/u",
    });
  });
  it("by default leaves drivers that the user names alone, even if the marker is exclusive", () => {
    const marker = { format: 1, default: "a", exclusive: true, drivers: { a: driver } } as const;
    expect(defaultAccess("/c", marker, {})?.env.VK_DRIVER_FILES).toBe("/c/d-1/icd.json");
    expect(defaultAccess("/c", marker, { VK_ICD_FILENAMES: "/u" })?.env).toEqual({});
    expect(defaultAccess("/c", { ...marker, default: null }, {})).toBeUndefined();
    expect(defaultAccess("/c", null, {})).toBeUndefined();
  });
});

it("adapter names match without case and punctuation, and lavapipe means llvmpipe", () => {
  expect(sameAdapter("llvmpipe (LLVM 15.0.6, 256 bits)", "lavapipe")).toBe(true);
  expect(sameAdapter("llvmpipe (LLVM 15.0.6, 256 bits)", "llvmpipe-llvm-15-0-6-256-bits-")).toBe(true);
  expect(sameAdapter("SwiftShader Device (Subzero)", "swiftshader")).toBe(true);
  expect(sameAdapter("NVIDIA GeForce RTX 4090", "geforce rtx")).toBe(true);
  expect(sameAdapter("SwiftShader Device (Subzero)", "lavapipe")).toBe(false);
});

it("the sentence for a missing adapter names packages on Linux only", () => {
  expect(noAdapterSentence("linux")).toContain("mesa-vulkan-drivers");
  expect(noAdapterSentence("linux")).toContain("doctor --setup");
  expect(noAdapterSentence("darwin")).not.toContain("mesa");
});

describe("a driver that does not work", () => {
  it("is not placed, and leaves the cache as it was", async () => {
    const folder = ownCache();
    const staging = stagingFolder();
    writeFileSync(join(staging, "icd.json"), icdManifest("libnothing.so", "1.1.0"));
    const staged = { key: "x", name: "x-1", icd: "icd.json", preload: [], source: "a broken driver" };
    await expect(placeDriver(staging, staged)).rejects.toThrow(/^a broken driver does not work here: ./);
    rmSync(staging, { recursive: true });
    expect(readdirSync(folder)).toEqual([]);
  });
  it("is told by its checksum when it is another file", () => {
    writeFileSync(join(home, "f"), "abc");
    checkSha256(join(home, "f"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    expect(() => checkSha256(join(home, "f"), "0".repeat(64))).toThrow("f is not the expected file");
  });
  it("named by the user is reported as such, and nothing is set up", async () => {
    ownCache();
    vi.stubEnv("VK_DRIVER_FILES", join(home, "none.json"));
    expect((await probeAdapter()).ok).toBe(false);
    await expect(setUpAdapter()).rejects.toMatchObject({
      code: "NO_ADAPTER",
      message: expect.stringContaining("VK_DRIVER_FILES"),
    });
    expect(readdirSync(home)).toEqual([]);
  });
  it("is not replaced when NCVSD_NO_SETUP=1", async () => {
    ownCache();
    vi.stubEnv("VK_DRIVER_FILES", join(home, "none.json"));
    vi.stubEnv("NCVSD_NO_SETUP", "1");
    const lines: string[] = [];
    await expect(setUpAdapter({ log: (line) => lines.push(line) })).rejects.toMatchObject({
      code: "NO_ADAPTER",
      message: expect.stringMatching(/NCVSD_NO_SETUP=1 .*: install /),
    });
    await expect(ensureSwiftShader()).rejects.toThrow("NCVSD_NO_SETUP=1");
    expect(lines).toEqual([]);
    expect(readdirSync(home)).toEqual([]);
  });
});

describe("the adapter of this machine", () => {
  it("works, and set-up then touches nothing", async () => {
    const lines: string[] = [];
    const result = await setUpAdapter({ log: (line) => lines.push(line) });
    expect(result).toMatchObject({ installed: null, adapter: { ok: true } });
    expect(result.adapter.name).toBeTruthy();
    expect(lines).toEqual([]);
  });
  it("comes with WebGPU's globals, once for a name", async () => {
    const gpu = await loadNativeGpu();
    expect(await loadNativeGpu()).toBe(gpu);
    expect(GPUBufferUsage.STORAGE).toBe(128);
    expect(await gpu.requestAdapter()).toBeTruthy();
  });
  it("is found by a part of its name; another name is an error that lists what is there", async () => {
    const own = (await (await loadNativeGpu()).requestAdapter())!.info.device;
    const named = await loadNativeGpu({ adapter: own.toUpperCase() });
    expect((await named.requestAdapter())?.info.device).toBe(own);
    await expect(loadNativeGpu({ adapter: "no such adapter" })).rejects.toMatchObject({
      code: "NO_ADAPTER",
      message: expect.stringMatching(/contains "no such adapter": there is "/),
    });
  });
});

// `npm test` sets the variable, and says so, where SwiftShader cannot be had.
const missing = process.env.NCVSD_NO_SWIFTSHADER;
describe.skipIf(missing)(`SwiftShader in the cache${missing ? ` (not to be had: ${missing})` : ""}`, () => {
  it("is found by name with nothing exported, and the environment is as before", async () => {
    await ensureSwiftShader();
    const before = { ...process.env };
    const adapter = await (await loadNativeGpu({ adapter: "swiftshader" })).requestAdapter();
    expect(adapter?.info.architecture).toBe("swiftshader");
    expect({ ...process.env }).toEqual(before);
  });
  it("is the default where the marker says so, and computes", async () => {
    const place = dirname(await ensureSwiftShader());
    const known = readDriverMarker()!.drivers.swiftshader!;
    const folder = ownCache();
    cpSync(place, join(folder, dirname(known.icd)), { recursive: true });
    updateMarker((m) => ({ ...m, default: "swiftshader", exclusive: true, drivers: { swiftshader: known } }));
    vi.stubEnv("VK_DRIVER_FILES", undefined);
    vi.stubEnv("VK_ICD_FILENAMES", undefined);
    const probe = await probeAdapter();
    expect(probe).toMatchObject({ ok: true, origin: "cache", software: true });
    expect(probe.name).toContain("swiftshader");
    expect((await probeAdapter("system")).name ?? "").not.toContain("swiftshader");
    expect(existsSync(join(folder, known.icd))).toBe(true);
  });
});
