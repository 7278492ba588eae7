// Gradient of pixel norm, y = x / s with s = 1e-4 + r and r = RMS over the m channels of a pixel (EDM2, `normalize`), and of
// mp_silu(y) where that was written too:
//   g = gy + gs mp_silu'(y),   dx = (g - x (g . x) / (m r s)) / s,   dx = g / s where r = 0
// x, gy, gs, dx: [batch, channels, pixels]. One thread owns 1 or 4 neighbouring pixels (an F) and walks over the channels
// three times; `pixels` counts in units of F.
// In front of this text: kernels/lib/pixel-norm.wgsl, V, F, load, store (kernels/lib/lanes.ts), DIRECT, SILU.

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<V>;
@group(0) @binding(2) var<storage, read> gy: array<V>;
@group(0) @binding(3) var<storage, read> gs: array<V>;
@group(0) @binding(4) var<storage, read_write> dx: array<V>;

fn arriving(o: u32, v: F, inverse: F) -> F {
  var g = F(0.0);
  if (DIRECT) {
    g = load(gy[o]);
  }
  if (SILU) {
    g += load(gs[o]) * mp_silu_slope(v * inverse);
  }
  return g;
}

fn each(i: u32) {
  let first = first_channel(i);
  // Two sums each: a shorter way for rounding errors to grow.
  var even = F(0.0);
  var odd = F(0.0);
  var o = first;
  for (var c = 0u; c < MANY; c++) {
    if (c >= p.channels) {
      break;
    }
    let v = load(x[o]);
    if (c % 2u == 0u) {
      even += v * v;
    } else {
      odd += v * v;
    }
    o += p.pixels;
  }
  let m = F(f32(p.channels));
  let r = sqrt((even + odd) / m);
  let s = F(1e-4) + r;
  let inverse = F(1.0) / s;

  even = F(0.0);
  odd = F(0.0);
  o = first;
  for (var c = 0u; c < MANY; c++) {
    if (c >= p.channels) {
      break;
    }
    let v = load(x[o]);
    let term = arriving(o, v, inverse) * v;
    if (c % 2u == 0u) {
      even += term;
    } else {
      odd += term;
    }
    o += p.pixels;
  }
  let zero = r == F(0.0);
  let back = select((even + odd) / (m * r * s), F(0.0), zero);

  o = first;
  for (var c = 0u; c < MANY; c++) {
    if (c >= p.channels) {
      break;
    }
    let v = load(x[o]);
    dx[o] = store((arriving(o, v, inverse) - v * back) * inverse);
    o += p.pixels;
  }
}
