// DISCO's loss, mean over the rows of w mean over the coordinates of (o - goal)^2: each row's share, and its gradient by o,
//   r = 2 w (o - goal) / (rows dims)
// o, goal [rows, dims], weight, loss [rows] f32; r [rows, dims], or [dims][columns] and 0 past the last row where `APART`. One
// invocation for each row, or column.
struct Params {
  threads: u32,
  rows: u32,
  dims: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> o: array<f32>;
@group(0) @binding(2) var<storage, read> goal: array<f32>;
@group(0) @binding(3) var<storage, read> weight: array<f32>;
@group(0) @binding(4) var<storage, read_write> r: array<f32>;
@group(0) @binding(5) var<storage, read_write> loss: array<f32>;

fn each(i: u32) {
  if (i >= p.rows) {
    for (var d = 0u; d < MANY; d++) {
      if (d >= p.dims) {
        break;
      }
      r[d * p.threads + i] = 0.0;
    }
    return;
  }
  let share = 1.0 / (f32(p.rows) * f32(p.dims));
  let w = weight[i];
  var sum = 0.0;
  for (var d = 0u; d < MANY; d++) {
    if (d >= p.dims) {
      break;
    }
    let off = o[i * p.dims + d] - goal[i * p.dims + d];
    sum += off * off;
    let slope = 2.0 * w * off * share;
    if (APART) {
      r[d * p.threads + i] = slope;
    } else {
      r[i * p.dims + d] = slope;
    }
  }
  loss[i] = w * sum * share;
}
