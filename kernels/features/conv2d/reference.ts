import type { Inputs } from "../../../src/gpu/contract.js";
import type { ChannelRange } from "../../lib/channel-range.js";
import { packedIndex } from "../../lib/packed-weight.js";
import { outputSize, type Window } from "../../lib/window.js";

/**
 * Convolution with bias as classification networks have it; all buffers f32 whatever the precision of the plan. The padding
 * is zeros, less than the kernel's extent.
 */
export interface Conv2dParams extends Window {
  readonly batch: number;
  readonly inChannels: number;
  readonly outChannels: number;
  readonly activation: "none" | "relu";
  /** The output channels are some of y's; the rest of y is left as it is. Default: all. */
  readonly into?: ChannelRange;
  /** Sums as if in twice the precision, at several times the cost. Default: plain sums. */
  readonly precise?: boolean;
}

/** Float64 convolution, bias and activation by plain loops; `w` in the kernel's packed layout. */
export function reference(p: Conv2dParams, inputs: Inputs) {
  const { x, w, b } = inputs as Record<"x" | "w" | "b", ArrayLike<number>>;
  const { batch, inChannels, outChannels, height, width, kernelHeight, kernelWidth, stride, padHeight, padWidth } = p;
  const { outHeight, outWidth } = outputSize(p);
  const depth = inChannels * kernelHeight * kernelWidth;
  const { first, of } = p.into ?? { first: 0, of: outChannels };
  // What is not asked for keeps what the caller put there: NaN in the tests.
  const y = new Float64Array(batch * of * outHeight * outWidth).fill(Number.NaN);
  for (let n = 0; n < batch; n++) {
    for (let o = 0; o < outChannels; o++) {
      for (let row = 0; row < outHeight; row++) {
        for (let col = 0; col < outWidth; col++) {
          let sum = b[o]!;
          for (let i = 0; i < inChannels; i++) {
            for (let ky = 0; ky < kernelHeight; ky++) {
              for (let kx = 0; kx < kernelWidth; kx++) {
                const sy = row * stride + ky - padHeight;
                const sx = col * stride + kx - padWidth;
                if (sy < 0 || sy >= height || sx < 0 || sx >= width) continue;
                const k = (ky * kernelWidth + kx) * inChannels + i;
                sum += w[packedIndex(o, k, depth)]! * x[((n * inChannels + i) * height + sy) * width + sx]!;
              }
            }
          }
          const index = ((n * of + first + o) * outHeight + row) * outWidth + col;
          y[index] = p.activation === "relu" && sum < 0 && Number.isFinite(sum) ? 0 : sum;
        }
      }
    }
  }
  return { y };
}
