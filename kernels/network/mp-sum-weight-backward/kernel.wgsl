// Gradient of the learned weight of a magnitude-preserving sum (NCVSD, eq. 32; EDM2, eq. 88), as sums of pieces of 4096 elements:
//   dstored = m * sum of g ((1 - t) b - t a) / Q^3,  Q = sqrt((1 - t)^2 + t^2),  t = clip(stored, 0, 1),
//   m = 1 where 0 <= stored <= 1, else 0.
// The sum runs over all images, channels and pixels, and its terms nearly cancel: each invocation adds up 64 terms, then
// kernels/lib/pair-sum.wgsl their sums. a, b, g: [elements]; part: [pieces]. Prelude: T (storage type).

struct Params {
  workgroups: u32, // pieces
  elements: u32,
  weight_index: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> a: array<T>;
@group(0) @binding(2) var<storage, read> b: array<T>;
@group(0) @binding(3) var<storage, read> w: array<f32>;
@group(0) @binding(4) var<storage, read> g: array<T>;
@group(0) @binding(5) var<storage, read_write> part: array<f32>;

fn each_workgroup(piece: u32, lid: u32) {
  let stored = w[p.weight_index];
  let t = clamp(stored, 0.0, 1.0);
  let q = (1.0 - t) * (1.0 - t) + t * t;
  let factor = select(0.0, 1.0 / (q * sqrt(q)), stored >= 0.0 && stored <= 1.0);
  var sum = 0.0;
  for (var k = 0u; k < 64u; k++) {
    let i = piece * 4096u + k * 64u + lid;
    if (i < p.elements) {
      sum += f32(g[i]) * ((1.0 - t) * f32(b[i]) - t * f32(a[i]));
    }
  }
  let all = pair_sum(lid, sum * factor);
  if (lid == 0u) {
    part[piece] = all;
  }
}
