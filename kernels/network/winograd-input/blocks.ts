import { blocksEntry } from "../../lib/winograd-transform.js";
import four from "./four.wgsl.js";
import quads from "./load-quads.wgsl.js";
import scalars from "./load-scalars.wgsl.js";
import tile2 from "./tile2.wgsl.js";
import tile4 from "./tile4.wgsl.js";

/** An invocation for each block of a channel: software adapters. */
export const blocks = (tile: 2 | 4, quad: boolean): string =>
  (tile === 2 ? tile2 : (quad ? quads : scalars) + tile4) + four + blocksEntry;
