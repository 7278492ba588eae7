// The adjoint of kernels/operators/alias-fold on half spectra: x [planes, h, w / 2 + 1] of measurements to y [planes, H, W / 2 + 1] of
// pictures, H = f h, W = f w, with the transfer function t: y(k') = conj(t(k')) x(k' mod (h, w)).
struct Params {
  threads: u32,
  rows: u32,
  columns: u32,
  factor: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<vec2f>;
@group(0) @binding(2) var<storage, read> transfer: array<vec2f>;
@group(0) @binding(3) var<storage, read_write> y: array<vec2f>;

fn each(i: u32) {
  let half = p.columns / 2u + 1u;
  let h = p.rows / p.factor;
  let w = p.columns / p.factor;
  let smallHalf = w / 2u + 1u;
  let r = (i / half) % p.rows % h;
  let c = i % half % w;
  let mirrored = c > w / 2u;
  let at = select(r * smallHalf + c, (h - r) % h * smallHalf + w - c, mirrored);
  let v = x[i / (half * p.rows) * h * smallHalf + at] * vec2f(1.0, select(1.0, -1.0, mirrored));
  let t = transfer[i % (half * p.rows)];
  y[i] = multiply(vec2f(t.x, -t.y), v);
}
