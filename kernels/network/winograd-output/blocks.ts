import { blocksEntry } from "../../lib/winograd-transform.js";
import four from "./four.wgsl.js";
import tile2 from "./tile2.wgsl.js";
import tile4 from "./tile4.wgsl.js";

/** An invocation for each block of a channel: software adapters. */
export const blocks = (tile: 2 | 4): string => (tile === 2 ? tile2 : tile4) + four + blocksEntry;
