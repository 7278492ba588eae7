import type { SourcePart } from "../../src/gpu/contract.js";
import text from "./channel-place.wgsl.js";
import { perInvocation } from "./entry.js";

/** Parts of a kernel that fills a channel operand (channel-operand.ts), an invocation for some of a place's channels. */
export const channelPlaces: readonly SourcePart[] = [
  perInvocation(64),
  { file: "kernels/lib/channel-place.wgsl", text },
];
