// Magnitude-preserving concatenation of channels (EDM2, eq. 103), raw and / or through mp_silu.
//   y[n] = [ scale_a a[n], scale_b b[n] ],  s = mp_silu(y)
//   scale_a = C (1 - t) / sqrt(A),  scale_b = C t / sqrt(B),  C = sqrt((A + B) / ((1 - t)^2 + t^2))
// a: [batch, A, pixels], b: [batch, B, pixels]; y, s: [batch, A + B, pixels]. One thread computes 1 or 4 neighbouring
// elements (an F). All counts are in units of F. Prelude: V, F (kernels/lib/lanes.ts), RAW, SILU.

struct Params {
  batch: u32,
  size_a: u32, // of one image of a
  size_b: u32,
  scale_a: f32,
  scale_b: f32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> a: array<V>;
@group(0) @binding(2) var<storage, read> b: array<V>;
@group(0) @binding(3) var<storage, read_write> y: array<V>;
@group(0) @binding(4) var<storage, read_write> s: array<V>;

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) nwg: vec3u,
  @builtin(local_invocation_index) lid: u32,
) {
  let i = (wid.y * nwg.x + wid.x) * 64u + lid;
  let size = p.size_a + p.size_b;
  if (i >= p.batch * size) {
    return;
  }
  let n = i / size;
  let k = i - n * size;
  var v: F;
  if (k < p.size_a) {
    v = F(p.scale_a) * F(a[n * p.size_a + k]);
  } else {
    v = F(p.scale_b) * F(b[n * p.size_b + (k - p.size_a)]);
  }
  if (RAW) {
    y[i] = V(v);
  }
  if (SILU) {
    s[i] = V(mp_silu(v));
  }
}
