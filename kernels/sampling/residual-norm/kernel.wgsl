// The misfit of each image, norm = sqrt(sum over its entries of (y - ax)^2): the length that diffusion posterior sampling
// differentiates (Chung et al. 2023, Algorithm 1). y, ax: [images, entries], norm: [images].
// A workgroup of SIZE invocations for each image: an invocation sums BLOCK entries at a time, kernels/lib/pair-sum.wgsl their
// sums, so that rounding grows with no more than a block. Prelude: SIZE.
const BLOCK: u32 = 16u;

struct Params {
  workgroups: u32, // images
  entries: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> y: array<f32>;
@group(0) @binding(2) var<storage, read> ax: array<f32>;
@group(0) @binding(3) var<storage, read_write> norm: array<f32>;

fn each_workgroup(image: u32, lid: u32) {
  let first = image * p.entries;
  var sum = 0.0;
  for (var turn = 0u; turn < MANY; turn++) {
    let start = lid + SIZE * BLOCK * turn;
    if (start >= p.entries) {
      break;
    }
    var part = 0.0;
    for (var k = 0u; k < BLOCK; k++) {
      let i = start + k * SIZE;
      if (i < p.entries) {
        let difference = y[first + i] - ax[first + i];
        part += difference * difference;
      }
    }
    sum += part;
  }
  let all = pair_sum(lid, sum);
  if (lid == 0u) {
    norm[image] = sqrt(all);
  }
}
