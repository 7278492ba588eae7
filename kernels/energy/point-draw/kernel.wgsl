// The points at which a step of DISCO's training learns: noisy data x = x' + sigma(label) eps, and, in the first rows, points uniform
// in a box; both are proposals of the paper's Definition 1. Up to four coordinates the uniform points of a step are a lattice, displaced at
// random: each is uniform, and together they leave no gaps, which takes noise from the gradient.
//   sigma(label) = sigmaMax exp(rate label),   weight = sigma^power
// data [points, dims], labels [rows], box [2][dims] (low, high), step [1] u32; x, own (the data x' of the row) [rows, dims], weight
// [rows], goal = -eps [rows, dims] (what the diffusion counterpart learns), all f32. Counter-based: counter (row, step, quad of
// coordinates, 3), key (seed, 0); the quad past the last one picks x'; (0, step, 0, 5) displaces the lattice. One invocation for each row.
struct Params {
  threads: u32,
  dims: u32,
  points: u32,
  inside: u32,
  sigmaMax: f32,
  rate: f32,
  power: i32,
  seed: u32,
  // Of the lattice: how far from row to row, a turn being 2^32. All 0: independent draws.
  stride0: u32,
  stride1: u32,
  stride2: u32,
  stride3: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> data: array<f32>;
@group(0) @binding(2) var<storage, read> labels: array<f32>;
@group(0) @binding(3) var<storage, read> box: array<f32>;
@group(0) @binding(4) var<storage, read> step: array<u32>;
@group(0) @binding(5) var<storage, read_write> x: array<f32>;
@group(0) @binding(6) var<storage, read_write> own: array<f32>;
@group(0) @binding(7) var<storage, read_write> weight: array<f32>;
@group(0) @binding(8) var<storage, read_write> goal: array<f32>;

// Uniform words, of four coordinates.
fn spread(row: u32, words: vec4u) -> vec4u {
  if (p.stride0 == 0u) {
    return words;
  }
  let counter = vec4u(0u, step[0], 0u, 5u);
  let key = vec2u(p.seed, 0u);
  return philox4x32(counter, key) + row * vec4u(p.stride0, p.stride1, p.stride2, p.stride3);
}

fn words_of(row: u32, quad: u32) -> vec4u {
  let counter = vec4u(row, step[0], quad, 3u);
  let key = vec2u(p.seed, 0u);
  return philox4x32(counter, key);
}

fn each(row: u32) {
  let quads = (p.dims + 3u) / 4u;
  let first = mulWide(words_of(row, quads).x, p.points).y * p.dims;
  let inside = row < p.inside;
  let sigma = select(p.sigmaMax * expFine(p.rate * labels[row]), p.sigmaMax, inside);
  var w = 1.0;
  if (p.power < 0) {
    w = 1.0 / sigma;
  }
  if (p.power < -1) {
    w = w / sigma;
  }
  weight[row] = w;
  for (var quad = 0u; quad < MANY; quad++) {
    if (quad >= quads) {
      break;
    }
    let words = words_of(row, quad);
    let share = vec4f(spread(row, words) >> vec4u(8u)) * 5.9604644775390625e-8;
    let eps = vec4f(boxMuller(words.x, words.y), boxMuller(words.z, words.w));
    for (var k = 0u; k < 4u; k++) {
      let d = 4u * quad + k;
      if (d < p.dims) {
        let value = data[first + d];
        let at = row * p.dims + d;
        own[at] = value;
        x[at] = select(value + sigma * eps[k], box[d] + share[k] * (box[p.dims + d] - box[d]), inside);
        if (DIFFUSION) {
          goal[at] = select(-eps[k], 0.0, inside);
        }
      }
    }
  }
}
