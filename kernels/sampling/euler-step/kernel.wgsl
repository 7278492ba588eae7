// Euler step of the second-order sampler (Karras et al. 2022, Algorithm 2, lines 7 and 8):
//
//   d = (xHat - D) / t,  x = xHat + (next - t) d,  level = [t, next, guidance, churn scale]
//
// Guided: D = dRef + guidance (dMain - dRef). The difference xHat - D is formed from differences of inputs, since it is
// small against all of them at low noise and is then divided by t.
@group(0) @binding(1) var<storage, read> xHat: array<f32>;
@group(0) @binding(2) var<storage, read> dMain: array<f32>;
@group(0) @binding(3) var<storage, read> dRef: array<f32>;
@group(0) @binding(4) var<storage, read> level: array<f32>;
@group(0) @binding(5) var<storage, read_write> x: array<f32>;
@group(0) @binding(6) var<storage, read_write> d: array<f32>;

fn each(i: u32) {
  let start = xHat[i];
  var residual = start - dMain[i];
  if (GUIDED) {
    residual = (start - dRef[i]) - level[2] * (dMain[i] - dRef[i]);
  }
  let slope = residual / level[0];
  d[i] = slope;
  x[i] = start + (level[1] - level[0]) * slope;
}
