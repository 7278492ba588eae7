// Gradients of the magnitude-preserving sum (EDM2, eq. 88), elementwise:
//   da = g (1 - t) / Q,  db = g t / Q,  Q = sqrt((1 - t)^2 + t^2),
// 0 where the clip after the sum cut it; the ends of its range pass. t is a constant (folded into weight_a, weight_b by the
// host), or, with LEARNED, w[weight_index] clipped to [0, 1] (NCVSD, eq. 32).
// Prelude: V, F, load, store (kernels/lib/lanes.ts), LEARNED, CLIP.

struct Params {
  threads: u32,
  weight_index: u32,
  weight_a: f32,
  weight_b: f32,
  bound: f32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> a: array<V>;
@group(0) @binding(2) var<storage, read> b: array<V>;
@group(0) @binding(3) var<storage, read> w: array<f32>;
@group(0) @binding(4) var<storage, read> g: array<V>;
@group(0) @binding(5) var<storage, read_write> da: array<V>;
@group(0) @binding(6) var<storage, read_write> db: array<V>;

fn each(i: u32) {
  var weight_a = p.weight_a;
  var weight_b = p.weight_b;
  if (LEARNED) {
    let t = clamp(w[p.weight_index], 0.0, 1.0);
    let norm = sqrt((1.0 - t) * (1.0 - t) + t * t);
    weight_a = (1.0 - t) / norm;
    weight_b = t / norm;
  }
  var arriving = load(g[i]);
  if (CLIP) {
    // As the sum was formed: the same entries are cut.
    let sum = F(weight_a) * load(a[i]) + F(weight_b) * load(b[i]);
    arriving = select(arriving, F(0.0), abs(sum) > F(p.bound));
  }
  da[i] = store(weight_a * arriving);
  db[i] = store(weight_b * arriving);
}
