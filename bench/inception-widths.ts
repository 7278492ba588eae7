import { INCEPTION_CONVS, type InceptionWidths } from "../src/networks/features/inception.js";

const STEM = [32, 32, 64, 80, 192];
const A = (pool: number) => [64, 48, 64, 64, 96, 96, pool];
const C = (tower: number) => [192, tower, tower, 192, tower, tower, tower, tower, 192, 192];
const E = [320, 384, 384, 384, 448, 384, 384, 384, 192];

/** Output channels of the published network's convolutions (Szegedy et al. 2016, as torchvision has it), by name. */
export function inceptionWidths(): InceptionWidths {
  const widths = [
    ...STEM,
    ...[A(32), A(64), A(64)].flat(),
    ...[384, 64, 96, 96],
    ...[C(128), C(160), C(160), C(192)].flat(),
    ...[192, 320, 192, 192, 192, 192],
    ...E,
    ...E,
  ];
  return new Map(INCEPTION_CONVS.map(({ name }, i) => [name, widths[i]!]));
}
