// Gradient of an MPConv's effective weight, y = w / s * scale * gain with s = 1e-4 + r, r = RMS of the row (EDM2, eq. 66):
//   dw = (g - w (g . w) / (fan_in r s)) scale gain / s,   dw = g scale gain / s where r = 0
//   dgain[row] = scale (g . w) / s;   the sum over the rows is the gain's gradient
// w, g, dw: [rows, fan_in], gain: [1], dgain: [rows]. A workgroup of SIZE invocations for each row;
// kernels/lib/pair-sum.wgsl adds their sums. In front of this text: kernels/lib/weight-rows.wgsl, SIZE, GAINED, V.

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> w: array<V>;
@group(0) @binding(2) var<storage, read> gain: array<f32>;
@group(0) @binding(3) var<storage, read> g: array<V>;
@group(0) @binding(4) var<storage, read_write> dw: array<V>;
@group(0) @binding(5) var<storage, read_write> dgain: array<f32>;

fn each_workgroup(row: u32, lid: u32) {
  let first = row * p.units;
  var squares = V();
  var products = V();
  for (var turn = 0u; turn < MANY; turn++) {
    let k = lid + SIZE * turn;
    if (k >= p.units) {
      break;
    }
    let v = w[first + k];
    squares += v * v;
    products += v * g[first + k];
  }
  let all = pair_sum(lid, vec2f(added(squares), added(products)));
  let n = f32(p.fan_in);
  let r = sqrt(all.x / n);
  let s = 1e-4 + r;
  let dot = all.y;
  let pull = select(dot / (n * r * s), 0.0, r == 0.0);
  var scale = p.scale / s;
  if (GAINED) {
    if (lid == 0u) {
      dgain[row] = scale * dot;
    }
    scale *= gain[0];
  }
  for (var turn = 0u; turn < MANY; turn++) {
    let k = lid + SIZE * turn;
    if (k >= p.units) {
      break;
    }
    dw[first + k] = (g[first + k] - w[first + k] * pull) * scale;
  }
}
