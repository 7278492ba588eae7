import type { Caps } from "../../../src/gpu/contract.js";
import plain from "./plain.wgsl.js";
import { subgroupSource } from "./subgroup.js";
import { TILES, tiledSource } from "./tiled.js";

/** A loop of the kernel with its tile: what one unit of work covers of the rows and columns of one group and piece. */
export interface Loop {
  readonly key: string;
  readonly text: string;
  readonly subgroups: boolean;
  readonly rows: number;
  readonly columns: number;
  /** Units per workgroup. */
  readonly units: number;
}

/** Lanes of a subgroup where all subgroups have one size that the loops can use, else 0. */
function certainLanes(caps: Caps): number {
  const lanes = caps.subgroupMinSize;
  return caps.subgroups && lanes === caps.subgroupMaxSize && lanes >= 8 && lanes <= 32 ? lanes : 0;
}

/**
 * Names of the loops that fit an adapter, the cost model's first: on a GPU tiles in workgroup memory, in software one
 * subgroup per workgroup where its size is certain. `subgroup RxW`: R rows of W quads per lane; `tiled RxC`: rows and
 * columns of a workgroup.
 * @param shape octets
 */
export function loopChoices({ rows, columns }: { rows: number; columns: number }, caps: Caps): string[] {
  const lanes = certainLanes(caps);
  const subgroup: string[] = [];
  if (lanes) {
    const wide = columns * 2 > lanes ? 2 : 1;
    subgroup.push(`subgroup ${rows > 1 ? 32 : 8}x${wide}`);
    for (const tile of [32, 16, 8]) for (const quads of [2, 1]) subgroup.push(`subgroup ${tile}x${quads}`);
  }
  if (caps.software) return [...new Set([...subgroup, "plain 8x4"])];
  const own = `tiled ${rows > 4 ? 64 : 32}x${columns > 4 ? 64 : 32}`;
  const tiled = Object.keys(TILES).map((name) => `tiled ${name}`);
  return [...new Set([own, ...tiled, "plain 8x4", ...subgroup])];
}

/** @param parted several pieces are added up */
export function loopOf(choice: string, parted: boolean, caps: Caps): Loop {
  const [kind, tile] = choice.split(" ") as [string, string];
  const [rows, second] = tile.split("x").map(Number) as [number, number];
  const inPieces = parted ? " in pieces" : "";
  if (kind === "tiled") {
    const text = tiledSource(TILES[tile]!, parted);
    return { key: `${choice}${inPieces}`, text, subgroups: false, rows, columns: second, units: 1 };
  }
  if (kind === "plain") {
    const text = `const PARTED: bool = ${parted};\n${plain}`;
    return { key: `${choice}${inPieces}`, text, subgroups: false, rows, columns: second, units: 64 };
  }
  const lanes = certainLanes(caps);
  const text = subgroupSource(lanes, rows, second, parted);
  return { key: `${choice} ${lanes}${inPieces}`, text, subgroups: true, rows, columns: 4 * lanes * second, units: 1 };
}
