// Gradient of y = mp_silu(x c), c one scale per image and channel:
//   h = g mp_silu'(x c),   dx = h c,   dc = sum over the pixels of h x
// x, g, dx: [planes, pixels], c, dc: [planes], planes = batch x channels. A workgroup of SIZE invocations for each plane; kernels/lib/pair-sum.wgsl
// adds their sums. Prelude: V, F, load, store (kernels/lib/lanes.ts), SIZE, fn across(F).
struct Params {
  workgroups: u32, // planes
  pixels: u32, // in units of F
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<V>;
@group(0) @binding(2) var<storage, read> c: array<f32>;
@group(0) @binding(3) var<storage, read> g: array<V>;
@group(0) @binding(4) var<storage, read_write> dx: array<V>;
@group(0) @binding(5) var<storage, read_write> dc: array<f32>;

fn each_workgroup(plane: u32, lid: u32) {
  let scale = c[plane];
  var sum = F(0.0);
  for (var turn = 0u; turn < MANY; turn++) {
    let q = lid + SIZE * turn;
    if (q >= p.pixels) {
      break;
    }
    let i = plane * p.pixels + q;
    let v = load(x[i]);
    let h = load(g[i]) * mp_silu_slope(v * scale);
    sum += h * v;
    dx[i] = store(h * scale);
  }
  let all = pair_sum(lid, across(sum));
  if (lid == 0u) {
    dc[plane] = all;
  }
}
