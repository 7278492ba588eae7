// Where and when a batch stopped being finite: for every NaN or infinity in x[n],
//   first[n] = min(first[n], step)
// x: f32 [batch, size], step: u32 [1], first: u32 [batch], which the host sets to 0xffffffff before the first step.
// The test looks at the exponent bits; comparisons with NaN may be optimised away. One thread, one element.

struct Params {
  batch: u32,
  size: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> step: array<u32>;
@group(0) @binding(3) var<storage, read_write> first: array<atomic<u32>>;

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) nwg: vec3u,
  @builtin(local_invocation_index) lid: u32,
) {
  let i = (wid.y * nwg.x + wid.x) * 64u + lid;
  if (i >= p.batch * p.size) {
    return;
  }
  if ((bitcast<u32>(x[i]) & 0x7f800000u) == 0x7f800000u) {
    atomicMin(&first[i / p.size], step[0]);
  }
}
