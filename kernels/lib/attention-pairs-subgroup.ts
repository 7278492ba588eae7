import type { Caps } from "../../src/gpu/contract.js";
import type { Side } from "./attention-pairs.js";

/** Channels of a head that the sums in workgroup memory have room for. */
const SUBGROUP_CHANNELS = 64;

/** Pixels of a turn: a quad for each of the eight lanes. */
const OTHERS = 32;

/** A software adapter whose subgroups are all of 8 lanes, and a head that is not too wide. */
export function subgroupPairsFit({ headDim }: { readonly headDim: number }, caps: Caps): boolean {
  const { software, subgroups, subgroupMinSize, subgroupMaxSize } = caps;
  return software && subgroups && subgroupMinSize === 8 && subgroupMaxSize === 8 && headDim <= SUBGROUP_CHANNELS;
}

/**
 * The loop of tiledPairs for software adapters whose subgroups are of exactly 8, with the workgroup made one subgroup: a
 * lane owns a quad of pixels. For 32 others at a time it computes both products in registers (one channel a turn: the lanes
 * load a quad of the others each and hand them round by subgroupBroadcast), the weights, and then adds the weighted rows to
 * the sums of each channel. Those are in workgroup memory because a register that lives through the loops is spilled in
 * each of them; every lane has its own, so that there are no barriers. The lane of a broadcast has to be a constant
 * expression: so the others are no loop, but text.
 */
export function subgroupPairs(side: Side): string {
  const each = (text: (k: number) => string) => Array.from({ length: OTHERS }, (_, k) => text(k)).join("\n");
  const ofKind = (text: (kind: number) => string) =>
    side
      .factors("")
      .map((_, kind) => text(kind))
      .join("\n");
  const ofOther = (quad: string, k: number) => `subgroupBroadcast(${quad}.${"xyzw"[k & 3]}, ${k >> 2}u)`;
  const others = (k: number) => side.others.map((name) => ofOther(`other.${name}`, k)).join(", ");
  // Once the weights are there, products are not needed any more, and take their registers.
  const weight = (kind: number, k: number) => `${"sd"[kind]}${k}`;
  return `
${ofKind((kind) => `var<workgroup> sums${kind}: array<vec4f, ${8 * SUBGROUP_CHANNELS}>;`)}

@compute @workgroup_size(8)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) nwg: vec3u,
  @builtin(subgroup_invocation_id) lane: u32,
) {
  let tile = wid.y * nwg.x + wid.x;
  let ownTiles = (p.quads + 7u) / 8u;
  if (tile >= p.heads * ownTiles) {
    return;
  }
  // Read once: a compiler may load a uniform anew in every turn of a loop.
  let headDim = p.headDim;
  let quads = p.quads;
  let pixels = p.pixels;
  let width = rowLength(pixels);
  let last = width - 1u;
  let head = tile / ownTiles;
  let ownQuad = (tile % ownTiles) * 8u + lane;
  let own = ownOf(head, min(ownQuad, quads - 1u));
${side.sums.map((name) => `  var ${name} = vec4f();`).join("\n")}
  for (var quad0 = 0u; quad0 < quads; quad0 += ${OTHERS / 4}u) {
    // 1. Products with each of the others.
    let quad = quad0 + lane;
${each((k) => `    var s${k} = vec4f();\n    var d${k} = vec4f();`)}
    for (var c = 0u; c < headDim; c++) {
      let gAt = (head * headDim + c) * width;
      let at = 3u * gAt;
      let a = loadQkv(at + ${side.own}u * width, ownQuad, last);
      let b = ${side.ownFactor("ownQuad")};
      let u = loadQkv(at + ${side.other}u * width, quad, last);
      let v = ${side.otherFactor("quad")};
${each((k) => `      s${k} += ${ofOther("u", k)} * a;\n      d${k} += ${ofOther("v", k)} * b;`)}
    }

    // 2. Weights of the pairs; pixels past the last one weigh nothing.
    let other = otherOf(head, min(quad, quads - 1u));
${each(
  (k) => `    {
      let w = weigh(own, ${others(k)}, s${k}, d${k}, 4u * quad0 + ${k}u < pixels);
${side.sums.map((name) => `      ${name} += w.${name};`).join("\n")}
${ofKind((kind) => `      ${weight(kind, k)} = w.factor${kind};`)}
    }`,
)}

    // 3. Weighted sums.
    for (var c = 0u; c < headDim; c++) {
      let gAt = (head * headDim + c) * width;
      let at = 3u * gAt;
      let mine = 8u * c + lane;
${side
  .factors("quad")
  .map(
    (load, kind) => `      let f${kind} = ${load};
      var sum${kind} = vec4f();
${each((k) => `      sum${kind} += ${ofOther(`f${kind}`, k)} * ${weight(kind, k)};`)}
      sums${kind}[mine] = sum${kind} + select(vec4f(), sums${kind}[mine], quad0 > 0u);`,
  )
  .join("\n")}
    }
  }

  if (ownQuad < quads) {
    let result = resultOf(own, ${side.sums.join(", ")});
    keep(head, ownQuad, result);
    for (var c = 0u; c < headDim; c++) {
      finish(result, 3u * (head * headDim + c) * width, ownQuad, ${side
        .factors("")
        .map((_, kind) => `sums${kind}[8u * c + lane]`)
        .join(", ")});
    }
  }
}
`;
}
