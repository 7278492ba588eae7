// Denoising loss with a learned uncertainty (EDM2, eq. 14 and 21) and its gradients; with D = s and x0 = s0 also the distillation
// loss of NCVSD, whose difference is s - s0. Per entry, with one t and one u = log variance for every image,
//
//   e = D - x0,  w = lambda e^-u,  lambda = (t^2 + sd^2) / (t sd)^2,
//   loss = w e^2 + u,   dD = 2 w e * factor,   partials = sums of 1 - w e^2 over pieces of an image
//
// (du = factor * the sum of an image's pieces: kernels/training/sum-rows).
//
//   D, x0, loss, dD [N, elements]; t, u [N]; partials [N, pieces]
//
// Terms of the sums nearly cancel in a trained network. One workgroup per piece of PIECE entries: each invocation adds up 64
// terms, then kernels/lib/pair-sum.wgsl their sums.
struct Params {
  elements: u32,
  pieces: u32,
  // N * pieces
  workgroups: u32,
  sigmaData: f32,
  factor: f32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> D: array<f32>;
@group(0) @binding(2) var<storage, read> x0: array<f32>;
@group(0) @binding(3) var<storage, read> t: array<f32>;
@group(0) @binding(4) var<storage, read> u: array<f32>;
@group(0) @binding(5) var<storage, read_write> loss: array<f32>;
@group(0) @binding(6) var<storage, read_write> dD: array<f32>;
@group(0) @binding(7) var<storage, read_write> partials: array<f32>;

fn each_workgroup(w: u32, lid: u32) {
  let n = w / p.pieces;
  let first = (w % p.pieces) * PIECE;
  let level = t[n];
  let variance = u[n];
  let scaled = level * p.sigmaData;
  let weight = (level * level + p.sigmaData * p.sigmaData) / (scaled * scaled) * expFine(-variance);
  let slope = 2.0 * weight * p.factor;
  var sum = 0.0;
  for (var k = 0u; k < PIECE / SIZE; k++) {
    let i = first + SIZE * k + lid;
    if (i < p.elements) {
      let at = n * p.elements + i;
      let e = D[at] - x0[at];
      let square = weight * e * e;
      loss[at] = square + variance;
      dD[at] = slope * e;
      sum += 1.0 - square;
    }
  }
  let all = pair_sum(lid, sum);
  if (lid == 0u) {
    partials[w] = all;
  }
}
