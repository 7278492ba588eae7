// Radon transform by rotating the picture: x [planes, side, side] in the middle of a grid of n x n (`pad` in front, zeros around) is
// resampled bilinearly at
//
//   row c - sin (j - c) + cos (i - c),   column c + cos (j - c) + sin (i - c),   c = (n - 1) / 2
//
// and summed over i: y [planes, angles, n]. ADJOINT: that of exactly this sum, from x [planes, angles, n] to pictures; a pixel
// gathers from the samples around it.
struct Params {
  threads: u32,
  side: u32,
  angles: u32,
  grid: u32,
  pad: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> directions: array<vec2f>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

fn pixel(plane: u32, row: i32, column: i32) -> f32 {
  let r = row - i32(p.pad);
  let k = column - i32(p.pad);
  if (r < 0 || k < 0 || r >= i32(p.side) || k >= i32(p.side)) {
    return 0.0;
  }
  return x[(plane * p.side + u32(r)) * p.side + u32(k)];
}

fn project(i: u32) -> f32 {
  let centre = 0.5 * f32(p.grid - 1u);
  let a = f32(i % p.grid) - centre;
  let direction = directions[(i / p.grid) % p.angles];
  let plane = i / (p.grid * p.angles);
  var sum = 0.0;
  for (var k = 0u; k < MANY; k++) {
    if (k >= p.grid) {
      break;
    }
    let b = f32(k) - centre;
    let row = centre - direction.y * a + direction.x * b;
    let column = centre + direction.x * a + direction.y * b;
    let top = floor(row);
    let left = floor(column);
    let down = row - top;
    let right = column - left;
    let r = i32(top);
    let l = i32(left);
    sum += (1.0 - down) * ((1.0 - right) * pixel(plane, r, l) + right * pixel(plane, r, l + 1))
      + down * ((1.0 - right) * pixel(plane, r + 1, l) + right * pixel(plane, r + 1, l + 1));
  }
  return sum;
}

fn back(i: u32) -> f32 {
  let centre = 0.5 * f32(p.grid - 1u);
  let column = f32(i % p.side + p.pad) - centre;
  let row = f32((i / p.side) % p.side + p.pad) - centre;
  let plane = i / (p.side * p.side);
  var sum = 0.0;
  for (var angle = 0u; angle < MANY; angle++) {
    if (angle >= p.angles) {
      break;
    }
    let direction = directions[angle];
    // Samples whose bilinear weight is not 0 are nearer than sqrt 2 on either axis of the sampling grid.
    let firstJ = floor(direction.x * column - direction.y * row + centre) - 1.0;
    let firstI = floor(direction.y * column + direction.x * row + centre) - 1.0;
    for (var a = 0u; a < 4u; a++) {
      let j = firstJ + f32(a);
      if (j < 0.0 || j >= f32(p.grid)) {
        continue;
      }
      var weight = 0.0;
      for (var b = 0u; b < 4u; b++) {
        let k = firstI + f32(b);
        if (k >= 0.0 && k < f32(p.grid)) {
          let down = -direction.y * (j - centre) + direction.x * (k - centre) - row;
          let right = direction.x * (j - centre) + direction.y * (k - centre) - column;
          weight += max(0.0, 1.0 - abs(down)) * max(0.0, 1.0 - abs(right));
        }
      }
      sum += weight * x[(plane * p.angles + angle) * p.grid + u32(j)];
    }
  }
  return sum;
}

fn each(i: u32) {
  if (ADJOINT) {
    y[i] = back(i);
  } else {
    y[i] = project(i);
  }
}
