// From gradients of effective weights to those of the normalised stored ones, in place, for rows of a bank: of
// y = W constant gain / s with s = 1e-4 + r, r = RMS of the row W (EDM2, eq. 66),
//   g <- (g - W (g . W) / (n r s)) constant gain / s,   g constant gain / s where r = 0
//   dgain[place] = constant (g . W) / s,   of which the sum over a weight's rows is the gain's gradient (gain-gradients)
// W is the stored row times its factor. w, g: f32, a bank or a part of it; table: u32 [rows][4] = first value, values n, place, -;
// roles, state: as row-scales has them. dgain: f32, of which places without a gain are left alone.
// A workgroup of SIZE invocations a row. In front of this text: kernels/lib/bank-rows.ts.
struct Params {
  workgroups: u32, // rows
  first_row: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> table: array<vec4u>;
@group(0) @binding(2) var<storage, read> roles: array<vec2u>;
@group(0) @binding(3) var<storage, read> state: array<vec4f>;
@group(0) @binding(4) var<storage, read> w: array<V>;
@group(0) @binding(5) var<storage, read_write> g: array<V>;
@group(0) @binding(6) var<storage, read_write> dgain: array<f32>;

fn each_workgroup(index: u32, lid: u32) {
  let row = p.first_row + index;
  let about = table[row];
  let role = roles[row];
  let now = state[HEAD + row];
  let first = about.x / LANES;
  let count = about.y / LANES;
  var products = V();
  for (var turn = 0u; turn < MANY; turn++) {
    let k = lid + SIZE * turn;
    if (k >= count) {
      break;
    }
    products += w[first + k] * g[first + k];
  }
  let dot = now.y * pair_sum(lid, added(products));
  let s = EPS + now.x;
  let pull = select(now.y * dot / (f32(about.y) * now.x * s), 0.0, now.x == 0.0);
  var scale = bitcast<f32>(role.x) / s;
  if (role.y > 0u) {
    if (lid == 0u) {
      dgain[about.z] = scale * dot;
    }
    scale *= state[HEAD + role.y - 1u].x;
  }
  for (var turn = 0u; turn < MANY; turn++) {
    let k = lid + SIZE * turn;
    if (k >= count) {
      break;
    }
    g[first + k] = (g[first + k] - w[first + k] * pull) * scale;
  }
}
