import { type Case, grid1d, type Kernel } from "../../../src/gpu/contract.js";
import { read, write } from "../../lib/buffers.js";
import { addressable, positiveInteger, positiveNumber } from "../../lib/check.js";
import source from "./kernel.wgsl.js";
import { type PrecondInParams, reference } from "./reference.js";

const WORKGROUP = 64;

/** x (f32 [N, C, P]) and sigma (f32 [N]) to y (act [N, C+1, P]): c_in x, and a last channel of exactly 1. */
export const precondIn: Kernel<PrecondInParams> = {
  name: "precond-in",
  source: [{ file: "kernels/network/precond-in/kernel.wgsl", text: source }],
  check(params) {
    for (const name of ["batch", "channels", "pixels"] as const) positiveInteger("precond-in", name, params[name]);
    positiveNumber("precond-in", "sigmaData", params.sigmaData);
    addressable("precond-in", "y", params.batch, params.channels + 1, params.pixels);
  },
  buffers({ batch, channels, pixels }) {
    return [
      read("x", batch * channels * pixels),
      read("sigma", batch),
      write("y", batch * (channels + 1) * pixels, "act"),
    ];
  },
  variant() {
    return { key: "", prelude: "" };
  },
  uniforms({ batch, channels, pixels, sigmaData }) {
    return { batch, channels, pixels, sigma_data: sigmaData };
  },
  grid({ batch, channels, pixels }, _variant, caps) {
    return grid1d(batch * (channels + 1) * pixels, WORKGROUP, caps);
  },
  cost({ batch, channels, pixels }, bytesPerAct) {
    const elements = batch * channels * pixels;
    return { flops: elements, bytes: 4 * (elements + batch) + bytesPerAct * (elements + batch * pixels) };
  },
  reference,
  cases: [
    at("one element", { batch: 1, channels: 1, pixels: 1, sigmaData: 0.5 }, [2]),
    at("smallest sigma", { batch: 1, channels: 3, pixels: 35, sigmaData: 0.5 }, [1e-4]),
    at("largest sigma", { batch: 1, channels: 4, pixels: 64, sigmaData: 0.5 }, [1e3]),
    at("one sigma per image", { batch: 3, channels: 3, pixels: 77, sigmaData: 0.5 }, [0.002, 0.5, 80]),
    at("sigma_data 1", { batch: 2, channels: 1, pixels: 50, sigmaData: 1 }, [1, 0.3]),
    at("64x64", { batch: 2, channels: 3, pixels: 4096, sigmaData: 0.5 }, [14.6, 0.1]),
  ],
  tolerance: { f32: 1e-6, f16: 1e-3 },
};

/** x as the sampler has it: data of deviation sigma_data plus noise of deviation sigma. */
function at(name: string, params: PrecondInParams, sigmas: readonly number[]): Case<PrecondInParams> {
  const perImage = params.channels * params.pixels;
  return {
    name,
    params,
    inputs: (buffer, length, random) => {
      if (buffer === "sigma") return Float32Array.from(sigmas);
      if (buffer !== "x") return undefined;
      return Float32Array.from(
        { length },
        (_, i) => (params.sigmaData + sigmas[Math.floor(i / perImage)]!) * 2 * (2 * random() - 1),
      );
    },
  };
}
