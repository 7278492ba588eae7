// What a step of DISCO's training draws for every row: the index of a noise level, and a uniform value in [0, 1) for a draw from the
// posterior. labels, u [rows] f32; step [1] u32: which step it is. The labels of a step are spread evenly: a place on the line that goes on
// by the golden section from row to row, from a start that is drawn. Counter-based: counters (row, step, 0, 2) and (0, step, 0, 6), key
// (seed, 0), so that a step's draws depend on nothing else. One invocation for each row.
struct Params {
  threads: u32,
  levels: u32,
  seed: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> step: array<u32>;
@group(0) @binding(2) var<storage, read_write> labels: array<f32>;
@group(0) @binding(3) var<storage, read_write> u: array<f32>;

fn each(row: u32) {
  let counter = vec4u(row, step[0], 0u, 2u);
  let key = vec2u(p.seed, 0u);
  let words = philox4x32(counter, key);
  let place = philox4x32(vec4u(0u, step[0], 0u, 6u), key).x + row * 2654435769u;
  labels[row] = f32(mulWide(place, p.levels).y);
  // 24 bits: never rounded up to 1.
  u[row] = f32(words.x >> 8u) * 5.9604644775390625e-8;
}
