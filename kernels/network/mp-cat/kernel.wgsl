// Magnitude-preserving concatenation of channels (EDM2, eq. 103), raw and / or through mp_silu.
//   y[n] = [ scale_a a[n], scale_b b[n] ],  s = mp_silu(y)
//   scale_a = C (1 - t) / sqrt(A),  scale_b = C t / sqrt(B),  C = sqrt((A + B) / ((1 - t)^2 + t^2))
// a: [batch, A, pixels], b: [batch, B, pixels]; y, s: [batch, A + B, pixels]. With MIX, b is the mix of two tensors with a
// learned weight (NCVSD, eq. 32), rounded as if it had been stored: mp_sum(b, other, w[weight_index] clipped to [0, 1]).
// One thread computes 1 or 4 neighbouring elements of an image (an F), or several such, a workgroup apart. All counts are
// in units of F. In front of this text: kernels/lib/learned-shares.wgsl. Prelude: V, F, load, store (kernels/lib/lanes.ts),
// RAW, SILU, MIX.

struct Params {
  batch: u32,
  size_a: u32, // of one image of a
  size_b: u32,
  scale_a: f32,
  scale_b: f32,
  weight_index: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> a: array<V>;
@group(0) @binding(2) var<storage, read> b: array<V>;
@group(0) @binding(3) var<storage, read> other: array<V>;
@group(0) @binding(4) var<storage, read> w: array<f32>;
@group(0) @binding(5) var<storage, read_write> y: array<V>;
@group(0) @binding(6) var<storage, read_write> s: array<V>;

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) nwg: vec3u,
  @builtin(local_invocation_index) lid: u32,
) {
  let size = p.size_a + p.size_b;
  let group = wid.y * nwg.x + wid.x;
  let groups = nwg.x * nwg.y / p.batch;
  let n = group / groups;
  if (n >= p.batch) {
    return;
  }
  let part = chunk(size, group - n * groups, groups, 64u);
  // A loop for each source rather than a choice in every turn.
  let endOfA = min(part.y, p.size_a);
  for (var turn = 0u; turn < MANY; turn++) {
    let k = part.x + lid + 64u * turn;
    if (k >= endOfA) {
      break;
    }
    put(n * size + k, F(p.scale_a) * load(a[n * p.size_a + k]));
  }
  // The first of this invocation's elements that is not of a.
  let passed = select(0u, (p.size_a - part.x - lid + 63u) / 64u, part.x + lid < p.size_a);
  var shares = vec2f();
  if (MIX) {
    shares = learned_shares(w[p.weight_index]);
  }
  for (var turn = passed; turn < MANY; turn++) {
    let k = part.x + lid + 64u * turn;
    if (k >= part.y) {
      break;
    }
    let i = n * p.size_b + (k - p.size_a);
    var v = load(b[i]);
    if (MIX) {
      v = load(store(F(shares.x) * v + F(shares.y) * load(other[i])));
    }
    put(n * size + k, F(p.scale_b) * v);
  }
}

fn put(i: u32, v: F) {
  if (RAW) {
    y[i] = store(v);
  }
  if (SILU) {
    s[i] = store(mp_silu(v));
  }
}
