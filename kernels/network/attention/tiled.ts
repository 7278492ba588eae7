import loadScalar from "./load-scalar.wgsl.js";
import loadVec4 from "./load-vec4.wgsl.js";
import load8 from "./load8.wgsl.js";
import load8Subgroup from "./load8-subgroup.wgsl.js";
import tiled from "./tiled.wgsl.js";

/** The loop for software adapters. `whole`: rows of whole quads; `subgroup8`: all subgroups are of 8 lanes. */
export const tiledSource = (whole: boolean, subgroup8: boolean): string =>
  (whole && !subgroup8 ? loadVec4 : loadScalar) + (subgroup8 ? load8Subgroup : load8) + tiled;
