// y = a + f b + g c with f = factor * level[index]: a + rho z [+ c], or a - sigma z - c; level = [sigma, rho]. What conjugate
// gradients of two draws start from, and what a likelihood step ends with.
struct Params {
  threads: u32,
  index: u32,
  factor: f32,
  other: f32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> a: array<f32>;
@group(0) @binding(2) var<storage, read> b: array<f32>;
@group(0) @binding(3) var<storage, read> c: array<f32>;
@group(0) @binding(4) var<storage, read> level: array<f32>;
@group(0) @binding(5) var<storage, read_write> y: array<f32>;

fn each(i: u32) {
  var v = a[i] + p.factor * level[p.index] * b[i];
  if (THIRD) {
    v += p.other * c[i];
  }
  y[i] = v;
}
