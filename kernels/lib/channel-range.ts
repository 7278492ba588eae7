import { inRange, nonNegativeInteger, positiveInteger } from "./check.js";

/** Where the channels that a node computes lie in its output: from channel `first` on, of `of` in all. */
export interface ChannelRange {
  readonly first: number;
  readonly of: number;
}

export function checkChannels(kernel: string, channels: number, into: ChannelRange | undefined): void {
  if (!into) return;
  nonNegativeInteger(kernel, "into.first", into.first);
  positiveInteger(kernel, "into.of", into.of);
  inRange(kernel, "into.first + channels", into.first + channels, 1, into.of);
}
