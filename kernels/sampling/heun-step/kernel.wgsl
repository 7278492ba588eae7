// Second-order correction of an Euler step (Karras et al. 2022, Algorithm 2, lines 10 and 11):
//
//   d' = (x - D) / next,  out = xHat + (next - t) (d + d') / 2,  level = [t, next, guidance, churn scale]
//
// D is the network at the Euler step's x and the level `next` > 0; guided: D = dRef + guidance (dMain - dRef), and
// x - D is formed from differences of inputs as in the Euler step.
@group(0) @binding(1) var<storage, read> xHat: array<f32>;
@group(0) @binding(2) var<storage, read> x: array<f32>;
@group(0) @binding(3) var<storage, read> d: array<f32>;
@group(0) @binding(4) var<storage, read> dMain: array<f32>;
@group(0) @binding(5) var<storage, read> dRef: array<f32>;
@group(0) @binding(6) var<storage, read> level: array<f32>;
@group(0) @binding(7) var<storage, read_write> out: array<f32>;

fn each(i: u32) {
  var residual = x[i] - dMain[i];
  if (GUIDED) {
    residual = (x[i] - dRef[i]) - level[2] * (dMain[i] - dRef[i]);
  }
  let slope = 0.5 * (d[i] + residual / level[1]);
  out[i] = xHat[i] + (level[1] - level[0]) * slope;
}
