// Two independent noisy views of one image as one (NCVSD, Proposition 2): y at level sigma[n], x at level[0] or level[n],
//
//   sigmaEff = (sigma^-2 + level^-2)^(-1/2),  yEff = sigmaEff^2 (sigma^-2 y + level^-2 x)
//
// written with r = smaller / larger level: no square of a level, and every factor accurate to its own last bits.
//
//   y, x, yEff [N, E]   sigma, sigmaEff [N]   level [3], of which the first is shared by the batch, or with
//   EACH [N]
struct Params {
  threads: u32,
  elements: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> y: array<f32>;
@group(0) @binding(2) var<storage, read> sigma: array<f32>;
@group(0) @binding(3) var<storage, read> x: array<f32>;
@group(0) @binding(4) var<storage, read> level: array<f32>;
@group(0) @binding(5) var<storage, read_write> yEff: array<f32>;
@group(0) @binding(6) var<storage, read_write> sigmaEff: array<f32>;

fn each(i: u32) {
  let n = i / p.elements;
  let a = sigma[n];
  let b = level[select(0u, n, EACH)];
  let yIsCleaner = a <= b;
  let smaller = select(b, a, yIsCleaner);
  let ratio = smaller / select(a, b, yIsCleaner);
  let total = 1.0 + ratio * ratio;
  let clean = select(x[i], y[i], yIsCleaner);
  let noisy = select(y[i], x[i], yIsCleaner);
  yEff[i] = (clean + ratio * ratio * noisy) / total;
  if (i % p.elements == 0u) {
    sigmaEff[n] = smaller / sqrt(total);
  }
}
