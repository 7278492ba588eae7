// Gradients of gains, into a bank of gradients: g[place] = sum over a weight's rows of what row-gradients left of them.
// gains: u32 [count][4] = first of its values in dgain, how many, place in g, -; dgain: f32; g: f32 [elements].
// A workgroup of SIZE invocations a gain.
struct Params {
  workgroups: u32, // gains
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> gains: array<vec4u>;
@group(0) @binding(2) var<storage, read> dgain: array<f32>;
@group(0) @binding(3) var<storage, read_write> g: array<f32>;

fn each_workgroup(index: u32, lid: u32) {
  let gain = gains[index];
  var sum = 0.0;
  for (var turn = 0u; turn < MANY; turn++) {
    let k = lid + SIZE * turn;
    if (k >= gain.y) {
      break;
    }
    sum += dgain[gain.x + k];
  }
  let all = pair_sum(lid, sum);
  if (lid == 0u) {
    g[gain.z] = all;
  }
}
