// Gradient of an MPConv's effective weight, y = w / s * scale * gain with s = 1e-4 + r, r = RMS of the row (EDM2, eq. 66):
//   dw = (g - w (g . w) / (fan_in r s)) scale gain / s,   dw = g scale gain / s where r = 0
//   dgain[row] = scale (g . w) / s;   the sum over the rows is the gain's gradient
// w, g, dw: [rows, fan_in], gain: [1], dgain: [rows]. A workgroup of SIZE invocations for each row; their sums are added in
// pairs, always in the same order. Prelude: SIZE, GAINED.
struct Params {
  rows: u32,
  fan_in: u32,
  scale: f32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> w: array<f32>;
@group(0) @binding(2) var<storage, read> gain: array<f32>;
@group(0) @binding(3) var<storage, read> g: array<f32>;
@group(0) @binding(4) var<storage, read_write> dw: array<f32>;
@group(0) @binding(5) var<storage, read_write> dgain: array<f32>;

var<workgroup> sums: array<vec2f, SIZE>;

@compute @workgroup_size(SIZE)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) nwg: vec3u,
  @builtin(local_invocation_index) lid: u32,
) {
  let row = wid.y * nwg.x + wid.x;
  let first = min(row, p.rows - 1u) * p.fan_in;

  // x: squares, y: products.
  var sum = vec2f();
  for (var k = lid; k < p.fan_in; k += SIZE) {
    let v = w[first + k];
    sum += vec2f(v * v, v * g[first + k]);
  }
  sums[lid] = sum;
  workgroupBarrier();
  for (var half = SIZE / 2u; half > 0u; half /= 2u) {
    if (lid < half) {
      sums[lid] += sums[lid + half];
    }
    workgroupBarrier();
  }
  let n = f32(p.fan_in);
  let r = sqrt(sums[0].x / n);
  let s = 1e-4 + r;
  let dot = sums[0].y;
  let pull = select(dot / (n * r * s), 0.0, r == 0.0);
  var scale = p.scale / s;
  if (row < p.rows) {
    if (GAINED) {
      if (lid == 0u) {
        dgain[row] = scale * dot;
      }
      scale *= gain[0];
    }
    for (var k = lid; k < p.fan_in; k += SIZE) {
      dw[first + k] = (g[first + k] - w[first + k] * pull) * scale;
    }
  }
}
