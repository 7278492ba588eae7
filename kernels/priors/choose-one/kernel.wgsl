// Draws one entry of each row of weights, in place: a 1 where the cumulated weight first exceeds u times their sum, else 0.
//
//   w [rows, count], not negative    z [rows, dims]
//
// u comes of the bits of z, a row's standard normal noise: Philox 4x32-10 of its first six values. So a generative denoiser that
// has to choose is a function of (y, sigma, z) like any other, and replays with recorded noise. One workgroup a row: every
// invocation adds up one stretch of the row, then one finds the stretch, another the entry. Needs math.wgsl and philox.wgsl;
// prelude: SIZE.
struct Params {
  workgroups: u32, // rows
  count: u32,
  dims: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> w: array<f32>;
@group(0) @binding(2) var<storage, read> z: array<f32>;

var<workgroup> stretches: array<f32, SIZE>;
// The stretch, and what of the target is left at its beginning.
var<workgroup> chosen: u32;
var<workgroup> left: f32;

fn bits(row: u32, i: u32) -> u32 {
  return select(0u, bitcast<u32>(z[row * p.dims + min(i, p.dims - 1u)]), i < p.dims);
}

fn each_workgroup(row: u32, lid: u32) {
  let length = (p.count + SIZE - 1u) / SIZE;
  let begin = row * p.count + min(lid * length, p.count);
  let end = row * p.count + min((lid + 1u) * length, p.count);
  var sum = 0.0;
  for (var j = begin; j < MANY; j++) {
    if (j >= end) {
      break;
    }
    sum += w[j];
  }
  stretches[lid] = sum;
  workgroupBarrier();
  if (lid == 0u) {
    let counter = vec4u(bits(row, 0u), bits(row, 1u), bits(row, 2u), bits(row, 3u));
    let word = philox4x32(counter, vec2u(bits(row, 4u), bits(row, 5u))).x;
    var all = 0.0;
    for (var k = 0u; k < SIZE; k++) {
      all += stretches[k];
    }
    let goal = f32(word >> 8u) * 5.960464477539063e-8 * all;
    var before = 0.0;
    // Where rounding leaves none: the last one that has any weight.
    for (var k = 0u; k < SIZE; k++) {
      if (stretches[k] > 0.0) {
        chosen = k;
        left = goal - before;
        before += stretches[k];
        if (before > goal) {
          break;
        }
      }
    }
  }
  workgroupBarrier();
  // Weights that are not finite stay: the check of the result sees them.
  let mine = lid == chosen;
  var at = begin;
  var cumulated = 0.0;
  if (mine) {
    for (var j = begin; j < MANY; j++) {
      if (j >= end) {
        break;
      }
      if (w[j] > 0.0) {
        at = j;
        cumulated += w[j];
        if (cumulated > left) {
          break;
        }
      }
    }
  }
  for (var j = begin; j < MANY; j++) {
    if (j >= end) {
      break;
    }
    w[j] = select(0.0, 1.0, mine && j == at);
  }
}
