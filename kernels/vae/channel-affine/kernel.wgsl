// A scale and a shift per channel, then SiLU if asked for: y = f(x * affine[c][0] + affine[c][1]), f(v) = v sigmoid(v).
// It applies a group normalisation (kernels/vae/group-fold) or adds a bias.
//
//   x, y [N, C, P];   affine [N, C, 2], or [C, 2] for all images
//
// Lane-generic (kernels/lib/lanes.ts): `pixels` counts in units of F. Prelude: SILU.
struct Params {
  threads: u32,
  pixels: u32,
  // Channels of all rows of `affine`: of one image, or of the batch.
  rows: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<V>;
@group(0) @binding(2) var<storage, read> affine: array<vec2f>;
@group(0) @binding(3) var<storage, read_write> y: array<V>;

fn each(i: u32) {
  let a = affine[(i / p.pixels) % p.rows];
  var v = F(x[i]) * a.x + F(a.y);
  if (SILU) {
    // exp(-|v|) lies in [0, 1] for every v, so that nothing overflows on the way.
    let e = exp(-abs(v));
    v = v * select(e, F(1.0), v >= F(0.0)) / (F(1.0) + e);
  }
  y[i] = V(v);
}
