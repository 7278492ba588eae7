import type { Case } from "../../../src/gpu/contract.js";
import { read, update, write } from "../../lib/buffers.js";
import { elementwise } from "../../lib/elementwise.js";
import { noiseParts } from "../../lib/philox.js";
import source from "./kernel.wgsl.js";
import { reference, type UlaStepParams } from "./reference.js";

/** One Langevin step in place, with its noise; level = [eta, beta, sigma^2, sqrt(2 eta)]. */
export const ulaStep = elementwise<UlaStepParams>({
  name: "ula-step",
  group: "sampling",
  source,
  parts: noiseParts,
  counts: ({ batch, elements }) => ({ batch, elements }),
  threads: ({ batch, elements }) => batch * Math.ceil(elements / 4),
  buffers({ batch, elements, recorded }) {
    const length = batch * elements;
    return [
      update("x", length),
      read("origin", length),
      read("gradient", length),
      read("level", 4),
      read("z", recorded ? length : 0),
      read("seeds", recorded ? 0 : batch, "u32"),
      read("draw", recorded ? 0 : 1, "u32"),
      write("nextDraw", recorded ? 0 : 1, "u32"),
    ];
  },
  flags: ({ recorded }) => ({ RECORDED: recorded }),
  flops: ({ batch, elements, recorded }) => (recorded ? 8 : 48) * batch * elements,
  reference,
  cases: [
    at("one value, recorded", { batch: 1, elements: 1, recorded: true }),
    at("odd length, recorded", { batch: 3, elements: 131, recorded: true }),
    at("odd length", { batch: 3, elements: 131, recorded: false }),
    at("an image", { batch: 2, elements: 3 * 32 * 32, recorded: false }),
  ],
  tolerance: { f32: 5e-7, f16: 5e-7 },
});

function at(name: string, params: UlaStepParams): Case<UlaStepParams> {
  const inputs = (buffer: string, length: number): Float32Array | Uint32Array | undefined => {
    if (buffer === "level") return Float32Array.of(5e-4, 1e-3, 0.09, Math.sqrt(1e-3));
    if (buffer === "seeds") return Uint32Array.from({ length }, (_, i) => 7 + i);
    return buffer === "draw" ? Uint32Array.of(41) : undefined;
  };
  return { name, params, inputs };
}
