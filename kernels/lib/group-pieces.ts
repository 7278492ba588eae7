/** Elements of a group that one workgroup sums up. */
export const GROUP_PIECE = 8192;

/** Pieces of one group; never depends on the batch. */
export function groupPieces(p: {
  readonly channels: number;
  readonly pixels: number;
  readonly groups: number;
}): number {
  return Math.ceil(((p.channels / p.groups) * p.pixels) / GROUP_PIECE);
}
