// Magnitude-preserving sum, elementwise (EDM2, eq. 88), with an optional clip:
//   out = ((1 - t) a + t b) / sqrt((1 - t)^2 + t^2), then clipped to [-clip, clip]; NaN and infinities pass the clip.
// t is a constant (folded into weight_a, weight_b by the host), or, with LEARNED, w[weight_index] clipped to [0, 1]
// (NCVSD, eq. 32). One thread computes 1 or 4 neighbouring elements (an F).
// In front of this text: kernels/lib/clip.wgsl, learned-shares.wgsl. Prelude: V, F, U (kernels/lib/lanes.ts), LEARNED, CLIP.

struct Params {
  threads: u32,
  weight_index: u32,
  weight_a: f32,
  weight_b: f32,
  clip: f32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> a: array<V>;
@group(0) @binding(2) var<storage, read> b: array<V>;
@group(0) @binding(3) var<storage, read> w: array<f32>;
@group(0) @binding(4) var<storage, read_write> out: array<V>;

fn each(i: u32) {
  var weight_a = p.weight_a;
  var weight_b = p.weight_b;
  if (LEARNED) {
    let shares = learned_shares(w[p.weight_index]);
    weight_a = shares.x;
    weight_b = shares.y;
  }
  var sum = F(weight_a) * F(a[i]) + F(weight_b) * F(b[i]);
  if (CLIP) {
    sum = clip_finite(sum, p.clip);
  }
  out[i] = V(sum);
}
