// Pixels to bytes: trunc(clip(127.5 x + 128, 0, 255)), which gives back exactly the byte u of x = u / 127.5 - 1 (EDM2's
// encoder). Four bytes a word, the first in the low bits; NaN gives 0. One invocation: one word.
//
// On rounding borders the result depends on the product being rounded to f32 before 128 is added. `p.zero` is 0, but no
// compiler can know: it keeps product and sum from being fused. What remains are drivers that round the single
// operations otherwise than to nearest, which WGSL permits: one byte off, on borders only.
struct Params {
  elements: u32,
  zero: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> out: array<u32>;

fn byte(v: f32) -> u32 {
  if ((bitcast<u32>(v) & 0x7fffffffu) > 0x7f800000u) {
    return 0u;
  }
  let product = bitcast<f32>(bitcast<u32>(127.5 * v) ^ p.zero);
  return u32(clamp(product + 128.0, 0.0, 255.0));
}

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) nwg: vec3u,
  @builtin(local_invocation_index) lid: u32,
) {
  let word = (wid.y * nwg.x + wid.x) * 64u + lid;
  if (word >= (p.elements + 3u) / 4u) {
    return;
  }
  let first = 4u * word;
  let count = min(4u, p.elements - first);
  var packed = 0u;
  for (var j = 0u; j < count; j++) {
    packed |= byte(x[first + j]) << (8u * j);
  }
  out[word] = packed;
}
