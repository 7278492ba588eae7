import few from "./few.wgsl.js";
import loadScalar from "./load-scalar.wgsl.js";
import loadVec4 from "./load-vec4.wgsl.js";
import norm1 from "./norm1.wgsl.js";
import norm4 from "./norm4.wgsl.js";
import octets from "./octets.wgsl.js";
import pairs from "./pairs.wgsl.js";

/** The loop for GPUs. `whole`: rows of whole quads; keys of an invocation, and how many of a tile have their norm from one of 64. */
export const fewSource = (whole: boolean, keys: number, norms: 1 | 4): string =>
  (whole ? loadVec4 : loadScalar) + (keys === 2 ? pairs : octets) + (norms === 4 ? norm4 : norm1) + few;
