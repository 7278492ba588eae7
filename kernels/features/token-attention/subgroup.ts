/** Channels of a head that the sums in workgroup memory have room for. */
export const SUBGROUP_CHANNELS = 64;

/** Queries of a workgroup, and keys of a turn: a quad for each of the eight lanes. */
export const SUBGROUP_QUERIES = 32;

/**
 * The loop for software adapters whose subgroups are of exactly 8, as in kernels/network/attention: a workgroup is one
 * subgroup, a lane holds a quad of queries. For 32 keys at a time it computes the logits in registers (the lanes load a quad of
 * keys each and hand them round by subgroupBroadcast), their weights beside the largest so far, and adds the weighted values to
 * the sums of each channel, which are in workgroup memory, every lane's its own: no barriers.
 */
export function subgroupSource(): string {
  const keys = Array.from({ length: SUBGROUP_QUERIES }, (_, key) => key);
  const each = (text: (key: number) => string, list = keys) => list.map(text).join("\n");
  const ofKey = (quad: string, key: number) => `subgroupBroadcast(${quad}.${"xyzw"[key & 3]}, ${key >> 2}u)`;
  return `
var<workgroup> sums: array<vec4f, ${8 * SUBGROUP_CHANNELS}>;

// A NaN stays one.
fn weights(x: vec4f) -> vec4f {
  let v = select(x, vec4f(-86.0), x < vec4f(-86.0));
  return vec4f(expFine(v.x), expFine(v.y), expFine(v.z), expFine(v.w));
}

@compute @workgroup_size(8)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) nwg: vec3u,
  @builtin(subgroup_invocation_id) lane: u32,
) {
  let tile = wid.y * nwg.x + wid.x;
  let queryTiles = (p.quads + 7u) / 8u;
  if (tile >= p.allHeads * queryTiles) {
    return;
  }
  let quads = p.quads;
  let keyCount = p.keys;
  let allHead = tile / queryTiles;
  let image = allHead / p.heads;
  let part = p.heads * HEAD * quads;
  let q0 = (2u * image * p.heads + allHead) * HEAD * quads;
  let k0 = q0 + part;
  let v0 = k0 + part;
  // Lanes past the last quad repeat it and store nothing.
  let wanted = (tile % queryTiles) * 8u + lane;
  let query = min(wanted, quads - 1u);
  var top = vec4f(-3.4028234663852886e38);
  var total = vec4f();
  for (var key0 = 0u; key0 < keyCount; key0 += ${SUBGROUP_QUERIES}u) {
    let keyQuad = min(key0 / 4u + lane, quads - 1u);
${each((key) => `    var s${key} = vec4f();`)}
    for (var c = 0u; c < HEAD; c++) {
      let q = qkv[q0 + c * quads + query] * p.scale;
      let k = qkv[k0 + c * quads + keyQuad];
${each((key) => `      s${key} += ${ofKey("k", key)} * q;`)}
    }
    var higher = top;
${each((key) => `    higher = select(higher, max(higher, s${key}), key0 + ${key}u < keyCount);`)}
    let keep = weights(top - higher);
    top = higher;
    total *= keep;
${each((key) => `    s${key} = select(vec4f(), weights(s${key} - higher), key0 + ${key}u < keyCount);\n    total += s${key};`)}
    for (var c = 0u; c < HEAD; c++) {
      let v = qkv[v0 + c * quads + keyQuad];
      var sum = vec4f();
${each(
  (key) => `      sum += ${ofKey("v", key)} * s${key} + ${ofKey("v", key + 1)} * s${key + 1};`,
  keys.filter((key) => key % 2 === 0),
)}
      let at = 8u * c + lane;
      sums[at] = sum + select(vec4f(), keep * sums[at], key0 > 0u);
    }
  }
  if (wanted < quads) {
    for (var c = 0u; c < HEAD; c++) {
      y[(allHead * HEAD + c) * quads + wanted] = sums[8u * c + lane] / total;
    }
  }
}
`;
}
