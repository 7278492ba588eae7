/** Channels of a turn, each with one row of its window. */
export const CHANNELS = 4;

/** Six neighbours of a row are loaded for three k of a quad. */
export const LOADED = 6 / 12;

/** Input channels that a sum takes: whole turns for every part of it. */
export function tiledChannels(inChannels: number, segments: number): number {
  return Math.ceil(inChannels / (CHANNELS * segments)) * CHANNELS * segments;
}
