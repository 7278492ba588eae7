// The posterior draw of a circular convolution in the frequency domain, as what must be added to x:
// likelihood N(y; A x', s^2), prior N(x'; x, rho^2), level = [s, rho], half spectra [planes, frequencies]. With
// v = 1 / (|H|^2 / s^2 + 1 / rho^2), X' = v (back Y / s^2 + X / rho^2) + sqrt(v) Z and back ahead = |H|^2:
//
//   X' - X = v / s^2 back (Y - ahead X) + sqrt(v) Z
//
// where s and rho only meet in ratios of positive terms: nothing cancels at frequencies that the blur removes.
struct Params {
  planes: u32,
  frequencies: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<vec2f>;
@group(0) @binding(2) var<storage, read> measured: array<vec2f>;
@group(0) @binding(3) var<storage, read> z: array<vec2f>;
@group(0) @binding(4) var<storage, read> ahead: array<vec2f>;
@group(0) @binding(5) var<storage, read> back: array<vec2f>;
@group(0) @binding(6) var<storage, read> level: array<f32>;
@group(0) @binding(7) var<storage, read_write> y: array<vec2f>;

fn multiply(a: vec2f, b: vec2f) -> vec2f {
  return vec2f(a.x * b.x - a.y * b.y, a.x * b.y + a.y * b.x);
}

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) nwg: vec3u,
  @builtin(local_invocation_index) lid: u32,
) {
  let i = (wid.y * nwg.x + wid.x) * 64u + lid;
  if (i >= p.planes * p.frequencies) {
    return;
  }
  let f = i % p.frequencies;
  let b = back[f];
  let ratio = level[1] / level[0];
  // v = rho^2 / spread, v / s^2 = ratio^2 / spread
  let spread = 1.0 + ratio * ratio * dot(b, b);
  let correction = multiply(b, measured[i] - multiply(ahead[f], x[i]));
  y[i] = (ratio * ratio / spread) * correction + (level[1] / sqrt(spread)) * z[i];
}
