// A circular convolution in the frequency domain, on half spectra [planes, frequencies] (vec2f = re, im) with one
// transfer function t [frequencies] for all planes:
//
//   y = t x                      or, with RESIDUAL (the gradient of |t x - r|^2),   y = 2 conj(t) (t x - r)
struct Params {
  threads: u32,
  frequencies: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<vec2f>;
@group(0) @binding(2) var<storage, read> transfer: array<vec2f>;
@group(0) @binding(3) var<storage, read> measured: array<vec2f>;
@group(0) @binding(4) var<storage, read_write> y: array<vec2f>;

fn each(i: u32) {
  let t = transfer[i % p.frequencies];
  let filtered = multiply(t, x[i]);
  if (RESIDUAL) {
    y[i] = 2.0 * multiply(vec2f(t.x, -t.y), filtered - measured[i]);
  } else {
    y[i] = filtered;
  }
}
