// A mask m [elements] of zeros and ones on images [batch, elements]:
//
//   y = m x                      or, with RESIDUAL (the gradient of |m (x - measured)|^2),   y = 2 m (x - measured)
//
// Where m is 0 nothing of x or `measured` is used, be it finite or not.
struct Params {
  threads: u32,
  elements: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> mask: array<f32>;
@group(0) @binding(3) var<storage, read> measured: array<f32>;
@group(0) @binding(4) var<storage, read_write> y: array<f32>;

fn each(i: u32) {
  var v = 0.0;
  if (mask[i % p.elements] != 0.0) {
    v = x[i];
    if (RESIDUAL) {
      v = 2.0 * (v - measured[i]);
    }
  }
  y[i] = v;
}
