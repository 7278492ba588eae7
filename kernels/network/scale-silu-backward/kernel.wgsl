// Gradient of y = mp_silu(x c), c one scale per image and channel:
//   h = g mp_silu'(x c),   dx = h c,   dc = sum over the pixels of h x
// x, g, dx: [planes, pixels], c, dc: [planes], planes = batch x channels. A workgroup of SIZE invocations for each plane; their
// sums are added in pairs, always in the same order. Prelude: V, F, load, store (kernels/lib/lanes.ts), SIZE, fn across(F).
struct Params {
  planes: u32,
  pixels: u32, // in units of F
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<V>;
@group(0) @binding(2) var<storage, read> c: array<f32>;
@group(0) @binding(3) var<storage, read> g: array<V>;
@group(0) @binding(4) var<storage, read_write> dx: array<V>;
@group(0) @binding(5) var<storage, read_write> dc: array<f32>;

var<workgroup> sums: array<f32, SIZE>;

@compute @workgroup_size(SIZE)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) nwg: vec3u,
  @builtin(local_invocation_index) lid: u32,
) {
  let plane = wid.y * nwg.x + wid.x;
  let here = min(plane, p.planes - 1u);
  let scale = c[here];
  var sum = F(0.0);
  for (var q = lid; q < p.pixels; q += SIZE) {
    let i = here * p.pixels + q;
    let v = load(x[i]);
    let h = load(g[i]) * mp_silu_slope(v * scale);
    sum += h * v;
    if (plane < p.planes) {
      dx[i] = store(h * scale);
    }
  }
  sums[lid] = across(sum);
  workgroupBarrier();
  for (var half = SIZE / 2u; half > 0u; half /= 2u) {
    if (lid < half) {
      sums[lid] += sums[lid + half];
    }
    workgroupBarrier();
  }
  if (lid == 0u && plane < p.planes) {
    dc[plane] = sums[0];
  }
}
