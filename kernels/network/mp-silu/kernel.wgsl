// Magnitude-preserving SiLU, elementwise (EDM2, eq. 81): y = x sigmoid(x) / 0.596.
// One thread computes 1 or 4 neighbouring elements (an F), or several such, a workgroup apart; `count` counts in units
// of F.
// In front of this text: kernels/lib/mp-silu-loaded.wgsl. Prelude: V, F, load, store (kernels/lib/lanes.ts).

struct Params {
  count: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<V>;
@group(0) @binding(2) var<storage, read_write> y: array<V>;

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) nwg: vec3u,
  @builtin(local_invocation_index) lid: u32,
) {
  let part = chunk(p.count, wid.y * nwg.x + wid.x, nwg.x * nwg.y, 64u);
  for (var turn = 0u; turn < MANY; turn++) {
    let i = part.x + lid + 64u * turn;
    if (i >= part.y) {
      break;
    }
    y[i] = store(mp_silu(load(x[i])));
  }
}
