// The least squares problem at the end of GMRES (Saad and Schultz 1986), per image: c minimises |h[0] - [h[1] ... h[iterations]] c|,
// where h [images, side, side], side = iterations + 1, holds columns, column 0 the length of the right-hand side in its first entry,
// column k entries 0 to k. By Givens rotations, in place; c [images, iterations] is 0 where a column has nothing to give.
// An invocation for each image.
struct Params {
  threads: u32, // images
  iterations: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> h: array<f32>;
@group(0) @binding(2) var<storage, read_write> c: array<f32>;

fn each(image: u32) {
  let m = p.iterations;
  let side = m + 1u;
  let first = image * side * side;
  for (var row = 1u; row < MANY; row++) {
    if (row > m) {
      break;
    }
    h[first + row] = 0.0;
  }
  // Row k and the one below, until nothing is below the diagonal.
  for (var k = 0u; k < MANY; k++) {
    if (k >= m) {
      break;
    }
    let pivot = first + (k + 1u) * side + k;
    let length = sqrt(h[pivot] * h[pivot] + h[pivot + 1u] * h[pivot + 1u]);
    if (length != 0.0) {
      let cosine = h[pivot] / length;
      let sine = h[pivot + 1u] / length;
      for (var j = k; j < MANY; j++) {
        if (j > m) {
          break;
        }
        // Column 0 first, then those from k + 1 on.
        let at = first + select(j, 0u, j == k) * side + k;
        let above = h[at];
        let below = h[at + 1u];
        h[at] = cosine * above + sine * below;
        h[at + 1u] = cosine * below - sine * above;
      }
    }
  }
  for (var back = 1u; back < MANY; back++) {
    if (back > m) {
      break;
    }
    let k = m - back;
    var rest = h[first + k];
    for (var j = k + 1u; j < MANY; j++) {
      if (j >= m) {
        break;
      }
      rest -= h[first + (j + 1u) * side + k] * c[image * m + j];
    }
    let pivot = h[first + (k + 1u) * side + k];
    var share = 0.0;
    if (pivot != 0.0) {
      share = rest / pivot;
    }
    c[image * m + k] = share;
  }
}
