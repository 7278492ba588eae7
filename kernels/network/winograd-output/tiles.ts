import one from "./one.wgsl.js";
import one2 from "./one2.wgsl.js";
import one4 from "./one4.wgsl.js";

/** An invocation for each tile: GPUs. */
export const tiles = (tile: 2 | 4): string => (tile === 2 ? one2 : one4) + one;
