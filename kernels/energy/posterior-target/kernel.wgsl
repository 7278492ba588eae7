// What DISCO learns at a point: where its noise came from, by the posterior over the data at sigma(0),
//   p_j = softmax over j of -|x - data_j|^2 / (2 sigma^2),   goal = sum p_j (data_j - x), or data_j - x for a draw:
//   the smallest j with c_j > u c_last, c the running sum of p (`DRAW`)
// x, goal [rows, dims], data [keys, dims], u [rows], all f32. One workgroup for four rows, the components of vectors; every invocation
// has a run of keys, which it reads once for all four, and the runs' sums are added in the order of the keys. Two turns: the largest
// logit, then the sums; nothing is stored between them. Prelude: DIMS, SIZE, DRAW.
struct Params {
  workgroups: u32, // quads of rows
  rows: u32,
  keys: u32,
  // 1 / (2 sigma^2)
  sharpness: f32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> data: array<f32>;
@group(0) @binding(3) var<storage, read> u: array<f32>;
@group(0) @binding(4) var<storage, read_write> goal: array<f32>;

// Of every invocation: its nearest keys, its totals, or a coordinate of its sums.
var<workgroup> own: array<vec4f, SIZE>;

// Rows past the last one are computed as the last, and not stored.
fn rows_of(w: u32) -> vec4u {
  return min(vec4u(4u * w) + vec4u(0u, 1u, 2u, 3u), vec4u(p.rows - 1u));
}

fn of_points(d: u32, rows: vec4u) -> vec4f {
  let at = rows * DIMS + d;
  return vec4f(x[at.x], x[at.y], x[at.z], x[at.w]);
}

fn each_workgroup(w: u32, lid: u32) {
  let rows = rows_of(w);
  let run = (p.keys + SIZE - 1u) / SIZE;
  let first = min(p.keys, lid * run);
  let end = min(p.keys, first + run);
  var point: array<vec4f, DIMS>;
  for (var d = 0u; d < DIMS; d++) {
    point[d] = of_points(d, rows);
  }

  // The largest a float holds.
  var nearest = vec4f(3.4028234e38);
  for (var j = first; j < MANY; j++) {
    if (j >= end) {
      break;
    }
    var square = vec4f();
    for (var d = 0u; d < DIMS; d++) {
      let off = data[j * DIMS + d] - point[d];
      square += off * off;
    }
    nearest = min(nearest, square);
  }
  own[lid] = nearest;
  workgroupBarrier();
  for (var i = 0u; i < SIZE; i++) {
    nearest = min(nearest, own[i]);
  }
  workgroupBarrier();

  var total = vec4f();
  var moved: array<vec4f, DIMS>;
  for (var d = 0u; d < DIMS; d++) {
    moved[d] = vec4f();
  }
  for (var j = first; j < MANY; j++) {
    if (j >= end) {
      break;
    }
    var square = vec4f();
    for (var d = 0u; d < DIMS; d++) {
      let off = data[j * DIMS + d] - point[d];
      square += off * off;
    }
    let far = p.sharpness * (square - nearest);
    // Below e^-25 of the largest nothing is left in a float.
    if (any(far < vec4f(25.0))) {
      let weight = exp(-far);
      total += weight;
      if (!DRAW) {
        for (var d = 0u; d < DIMS; d++) {
          moved[d] += weight * (data[j * DIMS + d] - point[d]);
        }
      }
    }
  }
  own[lid] = total;
  workgroupBarrier();
  var all = vec4f();
  var before = vec4f();
  for (var i = 0u; i < SIZE; i++) {
    before = select(before, all, i == lid);
    all += own[i];
  }
  if (!DRAW) {
    for (var d = 0u; d < DIMS; d++) {
      workgroupBarrier();
      own[lid] = moved[d];
      workgroupBarrier();
      if (lid == 0u) {
        var sum = vec4f();
        for (var i = 0u; i < SIZE; i++) {
          sum += own[i];
        }
        let mean = sum / all;
        for (var k = 0u; k < 4u; k++) {
          if (4u * w + k < p.rows) {
            goal[(4u * w + k) * DIMS + d] = mean[k];
          }
        }
      }
    }
    return;
  }

  // The run in which the running sum passes the threshold; rounding cannot leave none, since the last run's end is `all` itself.
  for (var k = 0u; k < 4u; k++) {
    let threshold = u[rows[k]] * all[k];
    let mine = before[k] <= threshold && before[k] + total[k] > threshold && 4u * w + k < p.rows;
    if (mine) {
      var sum = before[k];
      var pick = p.keys;
      for (var j = first; j < MANY; j++) {
        if (j >= end) {
          break;
        }
        var square = 0.0;
        for (var d = 0u; d < DIMS; d++) {
          let off = data[j * DIMS + d] - point[d][k];
          square += off * off;
        }
        let far = p.sharpness * (square - nearest[k]);
        if (far < 25.0 && (pick == p.keys || sum <= threshold)) {
          sum += exp(-far);
          pick = j;
        }
      }
      pick = min(pick, p.keys - 1u);
      for (var d = 0u; d < DIMS; d++) {
        goal[rows[k] * DIMS + d] = data[pick * DIMS + d] - point[d][k];
      }
    }
  }
}
