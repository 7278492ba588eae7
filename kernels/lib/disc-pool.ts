/** Cases of the discriminator's pooling and of its derivative. */
export const POOL_CASES = [
  { name: "one pixel", params: { batch: 1, channelsA: 1, channelsB: 1, pixels: 1 } },
  { name: "odd sizes", params: { batch: 3, channelsA: 4, channelsB: 5, pixels: 15 } },
  { name: "8x8", params: { batch: 4, channelsA: 128, channelsB: 128, pixels: 64 } },
] as const;
