// Rows drawn with replacement: the random subset of the data that is a step's support of the posterior.
// data [points, dims], step [1] u32; keys [rows, dims] f32. Counter-based: word row % 4 of counter (row / 4, step, 0, 4), key (seed, 0).
// One invocation for each four rows.
struct Params {
  threads: u32,
  rows: u32,
  dims: u32,
  points: u32,
  seed: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> data: array<f32>;
@group(0) @binding(2) var<storage, read> step: array<u32>;
@group(0) @binding(3) var<storage, read_write> keys: array<f32>;

fn each(i: u32) {
  let counter = vec4u(i, step[0], 0u, 4u);
  let key = vec2u(p.seed, 0u);
  let words = philox4x32(counter, key);
  for (var k = 0u; k < 4u; k++) {
    let row = 4u * i + k;
    if (row < p.rows) {
      let first = mulWide(words[k], p.points).y * p.dims;
      for (var d = 0u; d < MANY; d++) {
        if (d >= p.dims) {
          break;
        }
        keys[row * p.dims + d] = data[first + d];
      }
    }
  }
}
