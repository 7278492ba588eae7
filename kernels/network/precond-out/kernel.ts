import { type Case, grid1d, type Kernel } from "../../../src/gpu/contract.js";
import { read, write } from "../../lib/buffers.js";
import { addressable, positiveInteger, positiveNumber } from "../../lib/check.js";
import source from "./kernel.wgsl.js";
import { type PrecondOutParams, reference } from "./reference.js";

const WORKGROUP = 64;

/** x (f32 [N, C, P]), f (act, the network's output F) and sigma (f32 [N]) to d (f32) = c_skip x + c_out f. */
export const precondOut: Kernel<PrecondOutParams> = {
  name: "precond-out",
  source: [{ file: "kernels/network/precond-out/kernel.wgsl", text: source }],
  check(params) {
    for (const name of ["batch", "channels", "pixels"] as const) positiveInteger("precond-out", name, params[name]);
    positiveNumber("precond-out", "sigmaData", params.sigmaData);
    addressable("precond-out", "x", params.batch, params.channels, params.pixels);
  },
  buffers({ batch, channels, pixels }) {
    const length = batch * channels * pixels;
    return [read("x", length), read("f", length, "act"), read("sigma", batch), write("d", length)];
  },
  variant() {
    return { key: "", prelude: "" };
  },
  uniforms({ batch, channels, pixels, sigmaData }) {
    return { batch, size: channels * pixels, sigma_data: sigmaData };
  },
  grid({ batch, channels, pixels }, _variant, caps) {
    return grid1d(batch * channels * pixels, WORKGROUP, caps);
  },
  cost({ batch, channels, pixels }, bytesPerAct) {
    const elements = batch * channels * pixels;
    return { flops: 3 * elements, bytes: elements * (8 + bytesPerAct) + 4 * batch };
  },
  reference,
  cases: [
    at("one element", { batch: 1, channels: 1, pixels: 1, sigmaData: 0.5 }, [2]),
    // One level a case: in a batch of several, the errors at one level hide behind the size of another.
    ...[1e-4, 0.002, 0.5, 14.6, 80, 1e3].map((sigma) =>
      at(`sigma ${sigma}`, { batch: 1, channels: 3, pixels: 35, sigmaData: 0.5 }, [sigma]),
    ),
    at("one sigma per image", { batch: 3, channels: 4, pixels: 77, sigmaData: 0.5 }, [0.002, 0.5, 80]),
    at("sigma_data 1", { batch: 2, channels: 1, pixels: 50, sigmaData: 1 }, [1, 0.3]),
    at("64x64", { batch: 2, channels: 3, pixels: 4096, sigmaData: 0.5 }, [14.6, 0.1]),
  ],
  tolerance: { f32: 1e-6, f16: 1e-6 },
};

/** x as the sampler has it: data of deviation sigma_data plus noise of deviation sigma. f keeps its default. */
function at(name: string, params: PrecondOutParams, sigmas: readonly number[]): Case<PrecondOutParams> {
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
