// What the rows of an MPConv's stored weight are multiplied by in a network (EDM2, eq. 66 and `normalize`), for all weights at once:
//   scales[place] = factor * constant * gain / (1e-4 + RMS),   constant = (the layer's own factor) / sqrt(row's length)
// table: u32 [rows][4] = -, -, place, 1 for a row of a weight. state: f32, settings and then [rows][4] = RMS of the normalised row (of
// a gain: its value), what the stored row is multiplied by to give it, -, -. roles: u32 [rows][2] = bits of the constant, the row of
// the gain + 1 (0: none). scales: f32, of which places that no row has are left alone.
// In front of this text: HEAD, EPS.
@group(0) @binding(1) var<storage, read> table: array<vec4u>;
@group(0) @binding(2) var<storage, read> roles: array<vec2u>;
@group(0) @binding(3) var<storage, read> state: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> scales: array<f32>;

fn each(row: u32) {
  if (table[row].w != 1u) {
    return;
  }
  let role = roles[row];
  let now = state[HEAD + row];
  var scale = now.y * bitcast<f32>(role.x) / (EPS + now.x);
  if (role.y > 0u) {
    scale *= state[HEAD + role.y - 1u].x;
  }
  scales[table[row].z] = scale;
}
