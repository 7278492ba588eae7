// y = M x for rows of x [rows, inputs], M [outputs, inputs]: y [rows, outputs]. One workgroup: one output of four rows, so that M is
// read once for four; the invocations take turns with the terms, kernels/lib/pair-sum.wgsl adds up their sums, in the
// same order wherever a row stands.
struct Params {
  workgroups: u32,
  rows: u32,
  inputs: u32,
  outputs: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> m: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

fn each_workgroup(w: u32, lid: u32) {
  let output = w % p.outputs;
  let first = 4u * (w / p.outputs);
  // Past the last row, the last one is computed again and not stored.
  let at = min(vec4u(first, first + 1u, first + 2u, first + 3u), vec4u(p.rows - 1u)) * p.inputs;
  var sum = vec4f();
  for (var turn = 0u; turn < MANY; turn++) {
    let k = lid + SIZE * turn;
    if (k >= p.inputs) {
      break;
    }
    sum += m[output * p.inputs + k] * vec4f(x[at.x + k], x[at.y + k], x[at.z + k], x[at.w + k]);
  }
  let all = pair_sum(lid, sum);
  if (lid == 0u) {
    for (var i = 0u; i < 4u; i++) {
      if (first + i < p.rows) {
        y[(first + i) * p.outputs + output] = all[i];
      }
    }
  }
}
