import type { Caps } from "../../../src/gpu/contract.js";
import { bestTile, TILES, tilesFor } from "../../lib/tiles.js";
import { matrixTile, tiledUnit } from "./sizes.js";

/** What the choice of a loop depends on. */
export interface LoopShape extends LoopLayer {
  /** Quads of columns that are asked for, of all images. The only figure here that grows with the batch. */
  readonly quads: number;
  /** It adds another tensor to the product. */
  readonly sums: boolean;
}

/** A loop of the kernel with its tile: what one workgroup covers of the rows and quads of one group. */
export interface Loop {
  readonly key: string;
  readonly text: () => Promise<string>;
  readonly subgroups: boolean;
  /** It multiplies by `Caps.matrices`. */
  readonly matrices?: boolean;
  /** Rows and quads of a unit of work, and units per workgroup. */
  readonly rows: number;
  readonly quads: number;
  readonly units: number;
  /** k that it takes at a time. */
  readonly step: number;
}

/** What the cost model's choice depends on. */
export interface LoopLayer {
  readonly groups: number;
  readonly rows: number;
  readonly depth: number;
  /** Parts of the sum. */
  readonly segments: number;
}

/** Two quads a lane are faster, but take two to three times as long to compile: only where there is much to sum. */
const DEEP = 160;

/**
 * Up to so many quads in all lanes go over rows; where another tensor is added, up to half as many: of four quads, which a network
 * has in a node or two, the pipeline takes 1.5 s to compile and saves 0.03 ms.
 */
const NARROW = 4;

/** Lanes of a subgroup where all subgroups have one size that the loops can use, else 0. */
function certainLanes(caps: Caps): number {
  const lanes = caps.subgroupMinSize;
  return caps.subgroups && lanes === caps.subgroupMaxSize && lanes >= 8 && lanes <= 32 ? lanes : 0;
}

/** The same for matrix units, whose workgroups are one subgroup of any one size. */
function matrixLanes({ subgroups, subgroupMinSize, subgroupMaxSize, maxWorkgroupSize }: Caps): number {
  return subgroups && subgroupMinSize === subgroupMaxSize && subgroupMaxSize <= maxWorkgroupSize ? subgroupMaxSize : 0;
}

/** Row tiles that do not leave half of themselves empty: those of at most `rows` rounded up to a power of two. */
function fits(tileRows: number, rows: number): boolean {
  return tileRows === 8 || tileRows < 2 * rows;
}

/**
 * Names of the loops that fit an adapter, the cost model's first: on a GPU tiles in workgroup memory, in software one
 * subgroup per workgroup where its size is certain. `subgroup RxW`, `plain RxW`: R rows of W quads per lane;
 * `tiled RxC`: rows and columns of a workgroup; `matrix`: by matrix units, where the adapter has them; `tiled`: tiles that `bestTile` thinks best for the columns that there are. The same
 * names for every batch.
 */
export function loopChoices(layer: LoopLayer, caps: Caps): string[] {
  const { rows, depth } = layer;
  const subgroup: string[] = [];
  if (certainLanes(caps)) {
    const wide = depth >= DEEP ? 2 : 1;
    subgroup.push(rows > 8 ? `subgroup 32x${wide}` : "subgroup 8x1");
    for (const tile of [32, 16, 8]) {
      if (!fits(tile, rows)) continue;
      for (const wide of [1, 2]) subgroup.push(`subgroup ${tile}x${wide}`);
    }
  }
  const direct = ["plain 8x1", "plain 8x2"];
  if (caps.software) return [...new Set([...subgroup, ...direct])];
  const matrix = caps.matrices && matrixLanes(caps) ? ["matrix"] : [];
  return [...matrix, "tiled", ...tilesFor(layer, caps).map((name) => `tiled ${name}`), ...direct, ...new Set(subgroup)];
}

/**
 * The loop of a choice. In software a choice of subgroups takes a smaller tile, or lanes over rows, where there are few
 * columns. The batch decides there, but not about bits: software adapters do not contract products and sums, and these loops
 * sum every element in the same order. On a GPU, where a compiler may contract products and sums of one loop and not of another, a
 * choice is one loop, or tiles, which leave nothing to contract.
 */
export function loopOf(choice: string, shape: LoopShape, caps: Caps): Loop {
  const [kind, size] = choice.split(" ") as [string, string | undefined];
  if (kind === "tiled") {
    const name = size ?? bestTile(shape, caps);
    const tile = TILES[name]!;
    const key = `tiled ${name}${shape.segments > 1 ? ` of ${shape.segments}` : ""}`;
    const text = async () => (await import("./tiled.js")).tiledSource(tile, shape.segments);
    const step = tiledUnit(shape.segments);
    return { key, text, subgroups: false, rows: tile.rows, quads: tile.columns / 4, units: 1, step };
  }
  if (kind === "matrix") {
    const shape = caps.matrices!;
    const { rows, columns } = matrixTile(shape);
    const key = `matrix ${shape.m}x${shape.n}x${shape.k}`;
    const text = async () => (await import("./matrix.js")).matrixSource(matrixLanes(caps), shape);
    return { key, text, subgroups: true, matrices: true, rows, quads: columns / 4, units: 1, step: shape.k };
  }
  const [first, second] = size!.split("x").map(Number) as [number, number];
  const parted = shape.segments > 1;
  const inParts = parted ? " in parts" : "";
  if (kind === "plain") {
    const head = `const WIDE: u32 = ${second}u;\nconst PARTED: bool = ${parted};\n`;
    const text = async () => `${head}${(await import("./plain.wgsl.js")).default}`;
    return { key: `${choice}${inParts}`, text, subgroups: false, rows: first, quads: second, units: 64, step: 1 };
  }
  const lanes = certainLanes(caps);
  if (caps.software && shape.quads <= (shape.sums ? NARROW / 2 : NARROW)) {
    const quads = [1, 2, 4].find((q) => q >= shape.quads)!;
    // Eight rows a lane where that leaves no lane idle: half the shuffles.
    const rowQuads = quads > 1 && Math.ceil(shape.rows / (4 * lanes)) % 2 === 0 ? 2 : 1;
    const rows = 4 * rowQuads * lanes;
    const text = async () => (await import("./subgroup.js")).narrowSource(lanes, quads, rowQuads, parted);
    return { key: `narrow ${lanes}x${rows}x${quads}${inParts}`, text, subgroups: true, rows, quads, units: 1, step: 2 };
  }
  // Two quads a lane are a sixth faster, but not where that leaves a third of the lanes idle.
  const tiles = Math.ceil(shape.quads / lanes);
  const wide = caps.software && tiles % 2 === 1 && tiles < 7 ? 1 : second;
  const text = async () => (await import("./subgroup.js")).subgroupSource(lanes, first, wide, parted);
  return {
    key: `subgroup ${lanes}x${first}x${wide}${inParts}`,
    text,
    subgroups: true,
    rows: first,
    quads: lanes * wide,
    units: 1,
    step: 2,
  };
}
