// Gradient of the magnitude-preserving concatenation (EDM2, eq. 103), and of its mp_silu where that was written too:
//   g = gy + gs mp_silu'(y),   da = scale_a g[first A channels],   db = scale_b g[the others]
//   scale_a = C (1 - t) / sqrt(A),  scale_b = C t / sqrt(B),  C = sqrt((A + B) / ((1 - t)^2 + t^2))
// y, gy, gs: [batch, A + B, pixels]; da: [batch, A, pixels], db: [batch, B, pixels]. All counts are in units of F.
// Prelude: V, F, load, store (kernels/lib/lanes.ts), DIRECT, SILU.

struct Params {
  threads: u32,
  size_a: u32, // of one image of a
  size_b: u32,
  scale_a: f32,
  scale_b: f32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> y: array<V>;
@group(0) @binding(2) var<storage, read> gy: array<V>;
@group(0) @binding(3) var<storage, read> gs: array<V>;
@group(0) @binding(4) var<storage, read_write> da: array<V>;
@group(0) @binding(5) var<storage, read_write> db: array<V>;

fn each(i: u32) {
  var g = F(0.0);
  if (DIRECT) {
    g = load(gy[i]);
  }
  if (SILU) {
    g += load(gs[i]) * mp_silu_slope(load(y[i]));
  }
  let size = p.size_a + p.size_b;
  let n = i / size;
  let k = i - n * size;
  if (k < p.size_a) {
    da[n * p.size_a + k] = store(p.scale_a * g);
  } else {
    db[n * p.size_b + (k - p.size_a)] = store(p.scale_b * g);
  }
}
