// SwiGLU (Shazeer 2020) after its linear layer, f32: y = silu(x[first half] + b[first half]) (x[second half] + b[second half]),
// silu(v) = v / (1 + e^-v).
//
//   x [N, 2 C, P]   b [2 C]   y [N, C, P]
struct Params {
  threads: u32,
  channels: u32,
  columns: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> b: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

fn each(i: u32) {
  let half = p.channels * p.columns;
  let c = (i / p.columns) % p.channels;
  let at = i + (i / half) * half;
  let v = x[at] + b[c];
  let u = x[at + half] + b[c + p.channels];
  // The clamp changes no f32: there e^-v is 0 or infinite beside 1 already. A NaN is v's own factor.
  y[i] = v / (1.0 + expFine(clamp(-v, -86.0, 86.0))) * u;
}
