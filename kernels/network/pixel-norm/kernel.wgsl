// Pixel norm over the channels of planar images (EDM2, `normalize` with eps = 1e-4), with mp_silu of the result if
// asked for.
//   y[n,c,p] = x[n,c,p] / (1e-4 + sqrt(mean over c of x[n,c,p]^2)),   s = mp_silu(y)
// x, y, s: [batch, channels, pixels]. One thread owns 1 or 4 neighbouring pixels (an F) and walks over the channels
// twice; `pixels` counts in units of F.
// In front of this text: kernels/lib/pixel-norm.wgsl, V, F, load, store (kernels/lib/lanes.ts), SILU.

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<V>;
@group(0) @binding(2) var<storage, read_write> y: array<V>;
@group(0) @binding(3) var<storage, read_write> s: array<V>;

fn each(i: u32) {
  let first = first_channel(i);

  // Four sums instead of one: independent chains, and a shorter way for rounding errors to grow.
  var sum0 = F(0.0);
  var sum1 = F(0.0);
  var sum2 = F(0.0);
  var sum3 = F(0.0);
  var o = first;
  let quads = p.channels / 4u;
  for (var k = 0u; k < quads; k++) {
    let v0 = load(x[o]);
    let v1 = load(x[o + p.pixels]);
    let v2 = load(x[o + 2u * p.pixels]);
    let v3 = load(x[o + 3u * p.pixels]);
    sum0 += v0 * v0;
    sum1 += v1 * v1;
    sum2 += v2 * v2;
    sum3 += v3 * v3;
    o += 4u * p.pixels;
  }
  for (var c = 4u * quads; c < p.channels; c++) {
    let v = load(x[o]);
    sum0 += v * v;
    o += p.pixels;
  }
  let mean = ((sum0 + sum1) + (sum2 + sum3)) / F(f32(p.channels));
  let scale = F(1.0) / (F(1e-4) + sqrt(mean));

  o = first;
  for (var c = 0u; c < p.channels; c++) {
    let v = load(x[o]) * scale;
    y[o] = store(v);
    if (SILU) {
      s[o] = store(mp_silu(v));
    }
    o += p.pixels;
  }
}
