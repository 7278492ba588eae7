import type { Inputs } from "../../../src/gpu/contract.js";

export interface DiscPoolBackwardParams {
  readonly batch: number;
  /** Channels of the condition's features a, which come first, and of the image's, b. */
  readonly channelsA: number;
  readonly channelsB: number;
  /** Height times width. */
  readonly pixels: number;
}

export function reference({ batch, channelsA, channelsB, pixels }: DiscPoolBackwardParams, { g }: Inputs) {
  const channels = channelsA + channelsB;
  const scale = Math.sqrt(channels / 2);
  const spread = (count: number, first: number) =>
    Float64Array.from({ length: batch * count * pixels }, (_, i) => {
      const plane = Math.floor(i / pixels);
      const n = Math.floor(plane / count);
      return (scale * g![n * channels + first + (plane % count)]!) / (Math.sqrt(count) * pixels);
    });
  return { da: spread(channelsA, 0), db: spread(channelsB, channelsA) };
}
