import loadPacked from "./load-packed.wgsl.js";
import loadScalar from "./load-scalar.wgsl.js";
import loadVec4 from "./load-vec4.wgsl.js";
import { SUBGROUP_CHANNELS } from "./sizes.js";

/** How rows are read. */
const LOADS = { scalar: loadScalar, packed: loadPacked, vec4: loadVec4 } as const;

/** Keys of a turn: a quad for each of the eight lanes. */
const KEYS = 32;

/**
 * The loop for software adapters whose subgroups are of exactly 8, with the workgroup made one subgroup: a lane holds
 * `wide` quads of queries. For 32 keys at a time it computes the logits in registers (one channel a turn: the lanes load
 * a quad of keys each and hand them round by subgroupBroadcast), their weights, and then adds the weighted values to the
 * sums of each channel. Those are in workgroup memory because a register that lives through the loops is spilled in each
 * of them; every lane has its own, so that there are no barriers. The text is made here because the lane of a broadcast
 * has to be a constant expression: the keys cannot be a loop.
 */
export function subgroupSource(wide: 1 | 2, rows: keyof typeof LOADS): string {
  const keys = Array.from({ length: KEYS }, (_, key) => key);
  const sides = Array.from({ length: wide }, (_, side) => side);
  const each = (list: readonly number[], text: (item: number) => string) => list.map(text).join("\n");
  const ofKey = (quad: string, key: number) => `subgroupBroadcast(${quad}.${"xyzw"[key & 3]}, ${key >> 2}u)`;
  const place = (side: number) => `${8 * wide}u * c + ${8 * side}u + lane`;
  return `${LOADS[rows]}
var<workgroup> sums: array<vec4f, ${SUBGROUP_CHANNELS * 8 * wide}>;

fn invNorms(squares: vec4f) -> vec4f {
  return 1.0 / (1e-4 + sqrt(squares * p.invDim));
}

@compute @workgroup_size(8)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) nwg: vec3u,
  @builtin(subgroup_invocation_id) lane: u32,
) {
  let tile = wid.y * nwg.x + wid.x;
  let queryTiles = (p.quads + ${8 * wide - 1}u) / ${8 * wide}u;
  if (tile >= p.heads * queryTiles) {
    return;
  }
  // Read once: a compiler may load a uniform anew in every turn of a loop.
  let headDim = p.headDim;
  let quads = p.quads;
  let pixels = p.pixels;
  let width = rowLength();
  let head = tile / queryTiles;
  // q, k, v of channel c of this head begin at start + step * c + 0, width, 2 width.
  let start = head * headDim * 3u * width;
  let step = 3u * width;

${each(sides, (s) => `  let queryQuad${s} = (tile % queryTiles) * ${8 * wide}u + ${8 * s}u + lane;\n  var squares${s} = vec4f();`)}
  for (var c = 0u; c < headDim; c++) {
${each(sides, (s) => `    let query${s} = load4(start + step * c, queryQuad${s}, pixels);\n    squares${s} += query${s} * query${s};`)}
  }
${each(sides, (s) => `  let queryScale${s} = p.scale * invNorms(squares${s});\n  var total${s} = vec4f();`)}

  for (var keyQuad = 0u; keyQuad < quads; keyQuad += ${KEYS / 4}u) {
    // 1. q . k, a register for each of the keys; squares of this lane's quad of k and v.
    var kk = vec4f();
    var vv = vec4f();
${each(keys, (key) => sides.map((s) => `    var s${key}_${s} = vec4f();`).join(""))}
    for (var c = 0u; c < headDim; c++) {
      let at = start + step * c;
${each(sides, (s) => `      let query${s} = load4(at, queryQuad${s}, pixels);`)}
      let keys = load4(at + width, keyQuad + lane, pixels);
      let values = load4(at + 2u * width, keyQuad + lane, pixels);
      kk += keys * keys;
      vv += values * values;
${each(keys, (key) => `      {\n        let k = ${ofKey("keys", key)};\n${each(sides, (s) => `        s${key}_${s} += k * query${s};`)}\n      }`)}
    }

    // 2. Weights, not yet divided by their sum, times 1 / norm of v; keys past the last pixel weigh nothing.
    let invK = invNorms(kk);
    let invV = invNorms(vv);
${each(
  keys,
  (key) => `    {
      let k = ${ofKey("invK", key)};
      let v = ${ofKey("invV", key)};
      let inside = 4u * keyQuad + ${key}u < pixels;
${each(
  sides,
  (s) => `      let w${s} = select(vec4f(), exp(s${key}_${s} * (k * queryScale${s})), inside);
      total${s} += w${s};
      s${key}_${s} = v * w${s};`,
)}
    }`,
)}

    // 3. Weighted sums of v.
    for (var c = 0u; c < headDim; c++) {
      let values = load4(start + step * c + 2u * width, keyQuad + lane, pixels);
${each(sides, (s) => `      var sum${s} = vec4f();`)}
${each(
  keys.filter((key) => key % 2 === 0),
  (key) => `      {
        let u = ${ofKey("values", key)};
        let v = ${ofKey("values", key + 1)};
${each(sides, (s) => `        sum${s} += u * s${key}_${s} + v * s${key + 1}_${s};`)}
      }`,
)}
${each(sides, (s) => `      sums[${place(s)}] = sum${s} + select(vec4f(), sums[${place(s)}], keyQuad > 0u);`)}
    }
  }

  for (var c = 0u; c < headDim; c++) {
${each(
  sides,
  (s) => `    if (queryQuad${s} < quads) {
      store4((head * headDim + c) * width, queryQuad${s}, sums[${place(s)}] / total${s}, pixels);
    }`,
)}
  }
}
`;
}
