// What DISCO learns at a point: where its noise came from, by the posterior over the data at sigma(0),
//   p_j = softmax over j of -|x - data_j|^2 / (2 sigma^2),   goal = sum p_j (data_j - x), or data_j - x for a draw:
//   the smallest j with c_j > u c_last, c the running sum of p (`DRAW`)
// x, goal [rows, dims], data [keys, dims], u [rows], all f32. One workgroup for each row; every invocation has a run of keys, from the
// first on, so that sums run in the order of the keys. Two turns: the largest logit, then the sums; nothing is stored between them.
// Prelude: DIMS, SIZE, DRAW.
struct Params {
  workgroups: u32, // rows
  keys: u32,
  // 1 / (2 sigma^2)
  sharpness: f32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> data: array<f32>;
@group(0) @binding(3) var<storage, read> u: array<f32>;
@group(0) @binding(4) var<storage, read_write> goal: array<f32>;

var<workgroup> least: array<f32, SIZE>;
var<workgroup> totals: array<f32, SIZE>;
var<workgroup> parts: array<f32, SIZE * DIMS>;

// |x - data_j|^2, of the row that begins at `row`.
fn distance2(row: u32, key: u32) -> f32 {
  var sum = 0.0;
  for (var d = 0u; d < DIMS; d++) {
    let off = data[key * DIMS + d] - x[row + d];
    sum += off * off;
  }
  return sum;
}

fn each_workgroup(w: u32, lid: u32) {
  let row = w * DIMS;
  let run = (p.keys + SIZE - 1u) / SIZE;
  let first = min(p.keys, lid * run);
  let end = min(p.keys, first + run);
  // The largest a float holds.
  var nearest = 3.4028234e38;
  for (var j = first; j < end; j++) {
    nearest = min(nearest, distance2(row, j));
  }
  least[lid] = nearest;
  workgroupBarrier();
  for (var i = 0u; i < SIZE; i++) {
    nearest = min(nearest, least[i]);
  }
  var total = 0.0;
  var moved: array<f32, DIMS>;
  for (var d = 0u; d < DIMS; d++) {
    moved[d] = 0.0;
  }
  for (var j = first; j < end; j++) {
    let far = p.sharpness * (distance2(row, j) - nearest);
    // Below e^-25 of the largest nothing is left in a float.
    if (far < 25.0) {
      let weight = exp(-far);
      total += weight;
      if (!DRAW) {
        for (var d = 0u; d < DIMS; d++) {
          moved[d] += weight * (data[j * DIMS + d] - x[row + d]);
        }
      }
    }
  }
  totals[lid] = total;
  if (!DRAW) {
    for (var d = 0u; d < DIMS; d++) {
      parts[lid * DIMS + d] = moved[d];
    }
  }
  workgroupBarrier();
  var all = 0.0;
  for (var i = 0u; i < SIZE; i++) {
    all += totals[i];
  }
  if (!DRAW) {
    for (var d = lid; d < DIMS; d += SIZE) {
      var sum = 0.0;
      for (var i = 0u; i < SIZE; i++) {
        sum += parts[i * DIMS + d];
      }
      goal[row + d] = sum / all;
    }
    return;
  }
  // The last run whose sums begin at most at the threshold and end beyond it; the last key of all where rounding leaves none.
  let threshold = u[w] * all;
  var before = 0.0;
  var owner = SIZE - 1u;
  for (var i = 0u; i < SIZE; i++) {
    if (before + totals[i] > threshold) {
      owner = i;
      break;
    }
    before += totals[i];
  }
  if (lid == owner) {
    var pick = end - 1u;
    var sum = 0.0;
    for (var j = first; j < end; j++) {
      let far = p.sharpness * (distance2(row, j) - nearest);
      if (far < 25.0) {
        sum += exp(-far);
        if (before + sum > threshold) {
          pick = j;
          break;
        }
        pick = j;
      }
    }
    for (var d = 0u; d < DIMS; d++) {
      goal[row + d] = data[pick * DIMS + d] - x[row + d];
    }
  }
}
