// Forced weight normalisation (Karras et al. 2024, algorithm 1) of all weights of a network, in place:
//   W <- W / (eps + RMS(W)) for every row, one row per output channel; rows of zeros stay.
// w: f32 [elements], a bank of parameters; table: u32 [rows][2] = first element and length of a row. Rows lie anywhere, have
// any lengths of at least 1 and do not overlap: one workgroup has a row to itself.
struct Params {
  rows: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> table: array<vec2u>;
@group(0) @binding(2) var<storage, read_write> w: array<f32>;

var<workgroup> sums: array<f32, 64>;

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) nwg: vec3u,
  @builtin(local_invocation_index) lid: u32,
) {
  let row = wid.y * nwg.x + wid.x;
  if (row >= p.rows) {
    return;
  }
  let start = table[row].x;
  let length = table[row].y;
  let end = start + length;
  var own = 0.0;
  for (var i = start + lid; i < end; i += 64u) {
    own += w[i] * w[i];
  }
  // The same order whatever the hardware: 64 sums in a tree.
  sums[lid] = own;
  workgroupBarrier();
  for (var step = 32u; step > 0u; step /= 2u) {
    if (lid < step) {
      sums[lid] += sums[lid + step];
    }
    workgroupBarrier();
  }
  let scale = EPS + sqrt(sums[0] / f32(length));
  for (var i = start + lid; i < end; i += 64u) {
    w[i] /= scale;
  }
}
