// What DISCO learns at a point by the posterior over all data at sigma(0), where these are many and lie in tiles, neighbours together:
//   p_j = softmax over j of -|x - data_j|^2 / (2 sigma^2),   goal = sum p_j (data_j - x)
// x, goal [rows, dims], data [keys, dims], bounds [tiles][2][dims] (lowest and highest coordinates of TILE neighbouring data), all f32.
// One workgroup for each row, its invocations for the data of a tile. A tile is left out where its bounds say that none of its data
// can be the nearest, or, in the second turn, that none weighs e^-20 of the nearest. Prelude: DIMS, SIZE, TILE.
struct Params {
  workgroups: u32, // rows
  keys: u32,
  tiles: u32,
  // 1 / (2 sigma^2)
  sharpness: f32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> data: array<f32>;
@group(0) @binding(3) var<storage, read> bounds: array<f32>;
@group(0) @binding(4) var<storage, read_write> goal: array<f32>;

// Of every invocation: its nearest, its total, or a coordinate of its sums.
var<workgroup> own: array<f32, SIZE>;

// Squared distances to the nearest and to the farthest place within a tile's bounds.
fn reach(tile: u32, point: array<f32, DIMS>) -> vec2f {
  var square = vec2f();
  for (var d = 0u; d < DIMS; d++) {
    let value = point[d];
    let below = bounds[2u * DIMS * tile + d] - value;
    let above = value - bounds[2u * DIMS * tile + DIMS + d];
    let near = max(0.0, max(below, above));
    let far = max(-below, -above);
    square += vec2f(near * near, far * far);
  }
  return square;
}

fn distance_to(j: u32, point: array<f32, DIMS>) -> f32 {
  var square = 0.0;
  for (var d = 0u; d < DIMS; d++) {
    let off = data[j * DIMS + d] - point[d];
    square += off * off;
  }
  return square;
}

fn least(mine: f32, lid: u32) -> f32 {
  workgroupBarrier();
  own[lid] = mine;
  workgroupBarrier();
  var all = own[0];
  for (var i = 1u; i < SIZE; i++) {
    all = min(all, own[i]);
  }
  return all;
}

fn total(mine: f32, lid: u32) -> f32 {
  workgroupBarrier();
  own[lid] = mine;
  workgroupBarrier();
  var all = 0.0;
  for (var i = 0u; i < SIZE; i++) {
    all += own[i];
  }
  return all;
}

fn each_workgroup(row: u32, lid: u32) {
  var point: array<f32, DIMS>;
  for (var d = 0u; d < DIMS; d++) {
    point[d] = x[row * DIMS + d];
  }
  // Some datum is within the farthest place of every tile: a first bound.
  var nearest = 3.4028234e38;
  for (var turn = 0u; turn < MANY; turn++) {
    let tile = lid + SIZE * turn;
    if (tile >= p.tiles) {
      break;
    }
    nearest = min(nearest, reach(tile, point).y);
  }
  nearest = least(nearest, lid);
  for (var tile = 0u; tile < MANY; tile++) {
    if (tile >= p.tiles) {
      break;
    }
    // Rounding must not leave out the tile that the bound is of.
    if (reach(tile, point).x <= nearest * 1.000001) {
      let end = min(p.keys, (tile + 1u) * TILE);
      for (var turn = 0u; turn < MANY; turn++) {
        let j = tile * TILE + lid + SIZE * turn;
        if (j >= end) {
          break;
        }
        nearest = min(nearest, distance_to(j, point));
      }
    }
  }
  nearest = least(nearest, lid);

  var sum = 0.0;
  var moved: array<f32, DIMS>;
  for (var d = 0u; d < DIMS; d++) {
    moved[d] = 0.0;
  }
  for (var tile = 0u; tile < MANY; tile++) {
    if (tile >= p.tiles) {
      break;
    }
    if (p.sharpness * (reach(tile, point).x - nearest) < 20.0) {
      let end = min(p.keys, (tile + 1u) * TILE);
      for (var turn = 0u; turn < MANY; turn++) {
        let j = tile * TILE + lid + SIZE * turn;
        if (j >= end) {
          break;
        }
        let weight = exp(-p.sharpness * (distance_to(j, point) - nearest));
        sum += weight;
        for (var d = 0u; d < DIMS; d++) {
          moved[d] += weight * (data[j * DIMS + d] - point[d]);
        }
      }
    }
  }
  let all = total(sum, lid);
  for (var d = 0u; d < DIMS; d++) {
    let mean = total(moved[d], lid) / all;
    if (lid == 0u) {
      goal[row * DIMS + d] = mean;
    }
  }
}
