// Weight gradient of a linear layer: dw [M, K] = g^T x, summed over the images in order. x: [N, K], g: [N, M], all f32.
// One invocation for each entry.
struct Params {
  threads: u32,
  batch: u32,
  inFeatures: u32,
  outFeatures: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> g: array<f32>;
@group(0) @binding(3) var<storage, read_write> dw: array<f32>;

fn each(i: u32) {
  let m = i / p.inFeatures;
  let k = i - m * p.inFeatures;
  var sum = 0.0;
  for (var n = 0u; n < MANY; n++) {
    if (n >= p.batch) {
      break;
    }
    sum += g[n * p.outFeatures + m] * x[n * p.inFeatures + k];
  }
  dw[i] = sum;
}
