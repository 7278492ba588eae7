// Forced weight normalisation (Karras et al. 2024, algorithm 1) of all weights of a network, W <- W / (eps + RMS(W)) for every row,
// one row per output channel, without touching them: of each row that a weight has
//   RMS <- RMS / (eps + RMS),   factor <- factor / (eps + RMS)
// where W is the stored row times its factor. Rows of zeros stay. Adam multiplies the factors on (adam-rows).
// table: u32 [rows][4], of which the last is 1 for a row of a weight; state: f32, settings and then [rows][4] = RMS, factor, -, -.
// In front of this text: HEAD, EPS.
@group(0) @binding(1) var<storage, read> table: array<vec4u>;
@group(0) @binding(2) var<storage, read_write> state: array<vec4f>;

fn each(row: u32) {
  let now = state[HEAD + row];
  if (table[row].w != 1u || now.x == 0.0) {
    return;
  }
  let scale = EPS + now.x;
  state[HEAD + row] = vec4f(now.x / scale, now.y / scale, now.z, now.w);
}
