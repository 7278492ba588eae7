import type { Inputs } from "../../src/gpu/contract.js";
import type { ChannelRange } from "./channel-range.js";
import type { ConvEpilogue } from "./conv-epilogue.js";
import { epilogueReference } from "./conv-epilogue.js";

export interface ConvParams {
  readonly batch: number;
  readonly inChannels: number;
  readonly outChannels: number;
  readonly height: number;
  readonly width: number;
  readonly kernel: 1 | 3;
  readonly epilogue: ConvEpilogue;
  /** The output channels are some of y's (and of c's and r's); the rest of y is left as it is. Default: all. */
  readonly into?: ChannelRange;
}

/** Float64 convolution and epilogue by plain loops; `w` in the kernel's packed layout. */
export function reference(p: ConvParams, inputs: Inputs) {
  const { x, w, c, r } = inputs as Record<"x" | "w" | "c" | "r", ArrayLike<number>>;
  const { batch, inChannels, outChannels, height, width, kernel } = p;
  const { first, of } = p.into ?? { first: 0, of: outChannels };
  // What is not asked for keeps what the caller put there: NaN in the tests.
  const y = new Float64Array(batch * of * height * width).fill(Number.NaN);
  const half = kernel >> 1;
  const taps = kernel * kernel;
  for (let n = 0; n < batch; n++) {
    for (let o = 0; o < outChannels; o++) {
      for (let row = 0; row < height; row++) {
        for (let col = 0; col < width; col++) {
          let sum = 0;
          for (let i = 0; i < inChannels; i++) {
            for (let ky = 0; ky < kernel; ky++) {
              for (let kx = 0; kx < kernel; kx++) {
                const sy = row + ky - half;
                const sx = col + kx - half;
                if (sy < 0 || sy >= height || sx < 0 || sx >= width) continue;
                const k = i * taps + ky * kernel + kx;
                sum +=
                  w[((o >> 3) * inChannels * taps + k) * 8 + (o & 7)]! *
                  x[((n * inChannels + i) * height + sy) * width + sx]!;
              }
            }
          }
          const target = first + o;
          const index = ((n * of + target) * height + row) * width + col;
          y[index] = epilogueReference(p.epilogue, sum, n, target, index, c, r);
        }
      }
    }
  }
  return { y };
}
