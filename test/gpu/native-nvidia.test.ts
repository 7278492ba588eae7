import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { type NvidiaFacts, nvidiaSentence, readNvidiaFacts } from "../../src/gpu/native-nvidia.js";
import { pciAddresses } from "../../src/gpu/twins.js";

const home = mkdtempSync(join(tmpdir(), "ncvsd-nvidia-"));
afterAll(() => rmSync(home, { recursive: true, force: true }));

const libraries = { "libvulkan.so.1": true, "libEGL.so.1": true, "libXext.so.6": true };
const whole: NvidiaFacts = {
  devices: ["nvidia0"],
  driver: true,
  visible: "all",
  capabilities: "compute,utility,graphics",
  mig: false,
  vulkanDriver: true,
  libraries,
};
const without = (soname: string) => ({ libraries: { ...libraries, [soname]: false } });

describe("an NVIDIA GPU that gives no adapter has a sentence of its own", () => {
  const cases: [string, Partial<NvidiaFacts>, RegExp | undefined][] = [
    ["all is there", {}, undefined],
    ["no GPU", { devices: [], driver: false, visible: undefined, vulkanDriver: false }, undefined],
    ["void, as with CDI", { devices: [], driver: false, visible: "void" }, undefined],
    ["no loader", without("libvulkan.so.1"), /lacks libvulkan\.so\.1: install libvulkan1 /],
    ["no EGL", without("libEGL.so.1"), /lacks libEGL\.so\.1: install libegl1 /],
    ["no Xext", without("libXext.so.6"), /lacks libXext\.so\.6: install libxext6 /],
    [
      "no graphics",
      { capabilities: "compute,utility", vulkanDriver: false },
      /NVIDIA_DRIVER_CAPABILITIES is compute,utility and has to have graphics/,
    ],
    ["no capabilities", { capabilities: undefined, vulkanDriver: false }, /CAPABILITIES is not set and has to have/],
    [
      "no graphics and no loader",
      { ...without("libvulkan.so.1"), capabilities: "compute", vulkanDriver: false },
      /graphics/,
    ],
    ["all, but an old driver", { capabilities: "all", vulkanDriver: false }, /not the Vulkan part of its driver/],
    ["a slice by its name", { visible: "MIG-4c5a1f30-0000-5f5a-8a3e-000000000000" }, /MIG slice .* whole GPU/],
    ["a slice by its folder", { mig: true }, /MIG slice/],
    ["a runtime that was not used", { devices: [], driver: false, visible: "all" }, /no \/dev\/nvidia0 .*--gpus all/],
    ["a container without the GPU", { devices: [], visible: undefined }, /no \/dev\/nvidia0 is there/],
  ];
  for (const [name, facts, message] of cases)
    it(name, () => {
      const sentence = nvidiaSentence({ ...whole, ...facts });
      if (message) expect(sentence).toMatch(message);
      else expect(sentence).toBeUndefined();
      expect((sentence ?? "").length).toBeLessThan(300);
    });

  it("the facts are read from /dev, /proc and the environment", () => {
    const root = join(home, "root");
    mkdirSync(join(root, "dev/nvidia-caps"), { recursive: true });
    for (const node of ["nvidia3", "nvidiactl", "nvidia-uvm"]) writeFileSync(join(root, "dev", node), "");
    mkdirSync(join(root, "proc/driver/nvidia/capabilities/gpu0/mig/gi7/ci0"), { recursive: true });
    writeFileSync(join(root, "proc/driver/nvidia/version"), "NVRM version");
    const env = { NVIDIA_VISIBLE_DEVICES: "0", NVIDIA_DRIVER_CAPABILITIES: "utility" };
    expect(readNvidiaFacts((soname) => soname !== "libEGL.so.1", env, root)).toEqual({
      devices: ["nvidia3"],
      driver: true,
      visible: "0",
      capabilities: "utility",
      mig: true,
      vulkanDriver: true,
      libraries: { ...libraries, "libEGL.so.1": false },
    });
    expect(nvidiaSentence(readNvidiaFacts(() => false, {}, join(home, "nothing")))).toBeUndefined();
  });
});

describe("PCI addresses", () => {
  const pci = join(home, "pci");
  const nvidia = join(home, "gpus");
  const add = (address: string, kind: string, vendor: string, device: string, model?: string) => {
    mkdirSync(join(pci, address), { recursive: true });
    for (const [file, text] of Object.entries({ class: kind, vendor, device }))
      writeFileSync(join(pci, address, file), `${text}\n`);
    if (!model) return;
    mkdirSync(join(nvidia, address), { recursive: true });
    writeFileSync(join(nvidia, address, "information"), `Model: \t\t ${model}\nIRQ:   \t\t 42\n`);
  };
  add("0000:03:00.0", "0x030000", "0x1a03", "0x2000");
  add("0000:3b:00.0", "0x030200", "0x10de", "0x20b0", "NVIDIA A100-SXM4-40GB");
  add("0000:86:00.0", "0x030200", "0x10de", "0x20b0", "NVIDIA A100-SXM4-40GB");
  add("0000:af:00.0", "0x030200", "0x10de", "0x1eb8", "Tesla T4");
  add("0000:c1:00.0", "0x030000", "0x1002", "0x73bf");

  it("are told by the driver's models, by a vendor's only model, and not where they cannot be known", () => {
    const a100 = "NVIDIA A100-SXM4-40GB";
    const names = [a100, "AMD Radeon RX 6900 XT (RADV NAVI21)", a100, "Tesla T4", "llvmpipe (LLVM 15.0.6, 256 bits)"];
    const expected = ["0000:3b:00.0", "0000:c1:00.0", "0000:86:00.0", "0000:af:00.0", undefined];
    expect(pciAddresses(names, pci, nvidia)).toEqual(expected);
    // Three of them where the driver knows of two.
    expect(pciAddresses([a100, a100, a100], pci, nvidia)).toEqual([undefined, undefined, undefined]);
    // Without the driver's list: two models of NVIDIA are not told apart.
    expect(pciAddresses([a100, a100], pci, join(home, "none"))).toEqual([undefined, undefined]);
    expect(pciAddresses([a100], join(home, "none"), join(home, "none"))).toEqual([undefined]);
  });
});
