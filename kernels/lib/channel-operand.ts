/**
 * Operands of the products that weight gradients are made of (kernels/network/conv-weight-backward-products): sums over places (pixels, or
 * tiles of a Winograd transform) of products of channels, f32,
 *
 *   [panel][octet of channels][point][16 places][8 channels]
 *
 * A panel is 16 neighbouring places of all images' in one row; channels and places past the last are zero. So all that a product
 * reads of a panel and a point lies in runs of 512 bytes, and the transforms write runs of 128 bytes, few pages apart.
 */

/** Places of a panel and channels of an octet. */
export const PANEL = 16;
export const OCTET = 8;

export const octets = (channels: number) => Math.ceil(channels / OCTET);

export const panels = (places: number) => Math.ceil(places / PANEL);

/** Elements of an operand. */
export function channelOperandLength(channels: number, places: number, points: number): number {
  return panels(places) * octets(channels) * points * PANEL * OCTET;
}

/** Index of a place, counted over all panels, at a point. */
export function channelOperandIndex(channels: number, points: number, place: number, channel: number, point: number) {
  const block = (Math.floor(place / PANEL) * octets(channels) + Math.floor(channel / OCTET)) * points + point;
  return (block * PANEL + (place % PANEL)) * OCTET + (channel % OCTET);
}
