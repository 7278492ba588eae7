const A = (pool) => [64, 48, 64, 64, 96, 96, pool];
const C = (tower) => [192, tower, tower, 192, tower, tower, tower, tower, 192, 192];
const E = [320, 384, 384, 384, 448, 384, 384, 384, 192];

/** Output channels of the published Inception-v3 (Szegedy et al. 2016, as torchvision has it), in the order of its convolutions. */
export const INCEPTION_WIDTHS = [
  ...[32, 32, 64, 80, 192],
  ...[A(32), A(64), A(64)].flat(),
  ...[384, 64, 96, 96],
  ...[C(128), C(160), C(160), C(192)].flat(),
  ...[192, 320, 192, 192, 192, 192],
  ...E,
  ...E,
];

/** Operations on a picture, convolutions as direct sums. */
export const INCEPTION_FLOPS = 11.42e9;
