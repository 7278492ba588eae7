import { expect, it } from "vitest";
import { readableName } from "../../src/gpu/adapter-name.js";
import { sameAdapter } from "../../src/gpu/native.js";

it.each([
  ["llvmpipe-llvm-15-0-6-256-bits-", "llvmpipe (LLVM 15.0.6, 256 bits)"],
  ["swiftshader-device-llvm-10-0-0-", "SwiftShader Device (LLVM 10.0.0)"],
  ["nvidia-h100-pcie", "NVIDIA H100 PCIe"],
  ["nvidia-h100-80gb-hbm3", "NVIDIA H100 80GB HBM3"],
  ["nvidia-geforce-rtx-4070-ti-super", "NVIDIA GeForce RTX 4070 Ti SUPER"],
  ["tesla-t4", "Tesla T4"],
  ["amd-radeon-rx-7900-xtx-radv-navi31-", "AMD Radeon RX 7900 XTX (RADV NAVI31)"],
  ["intel-r-arc-tm-a770-graphics-dg2-", "Intel(R) Arc(TM) A770 Graphics (DG2)"],
  ["intel-r-hd-graphics-630", "Intel(R) HD Graphics 630"],
  ["apple-m3-max", "Apple M3 Max"],
  ["microsoft-basic-render-driver", "Microsoft Basic Render Driver"],
  ["nvidia", "NVIDIA"],
])("%s is %s, and --adapter takes either", (device, name) => {
  expect(readableName(device)).toBe(name);
  expect(sameAdapter(name, device) && sameAdapter(device, name)).toBe(true);
});

it("a driver's own name stays as it is", () => {
  for (const name of ["llvmpipe (LLVM 15.0.6, 256 bits)", "NVIDIA H100 PCIe", "Vivante GC7000 rev. 6214", "", "-"])
    expect(readableName(name)).toBe(name);
});
