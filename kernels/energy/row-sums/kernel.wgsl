// Sums of rows, four values at a time: the gradient of a layer's bias from that of its output.
// x [rows][columns], y [rows] f32. One workgroup for each row, sums in a fixed order.
struct Params {
  workgroups: u32, // rows
  quads: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

fn each_workgroup(row: u32, lid: u32) {
  var sum = vec4f();
  for (var turn = 0u; turn < MANY; turn++) {
    let i = lid + SIZE * turn;
    if (i >= p.quads) {
      break;
    }
    sum += x[row * p.quads + i];
  }
  let all = pair_sum(lid, dot(sum, vec4f(1.0)));
  if (lid == 0u) {
    y[row] = all;
  }
}
