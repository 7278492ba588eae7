// y[index] = sum of x, y = 0 elsewhere: the last step of the sums of a gradient. One workgroup: every invocation adds up each
// 64th value, then the sums are added in pairs, always in the same order.
struct Params {
  count: u32,
  index: u32,
  len: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

var<workgroup> sums: array<f32, 64>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wid: vec3u, @builtin(local_invocation_index) lid: u32) {
  var sum = 0.0;
  for (var i = lid; i < p.count; i += 64u) {
    sum += x[i];
  }
  sums[lid] = sum;
  workgroupBarrier();
  for (var half = 32u; half > 0u; half /= 2u) {
    if (lid < half) {
      sums[lid] += sums[lid + half];
    }
    workgroupBarrier();
  }
  if (wid.x == 0u && wid.y == 0u) {
    for (var i = lid; i < p.len; i += 64u) {
      y[i] = select(0.0, sums[0], i == p.index);
    }
  }
}
