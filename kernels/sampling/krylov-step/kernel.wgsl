// One step of Arnoldi's method for (level[0] + level[1] B) w = y - ax of every image, level = [s_y^2, s^2], B = A J' A'
// (moment matching posterior sampling, Rozet et al. 2024), by modified Gram-Schmidt:
//
//   START:     q = y - ax
//   else:      q = level[0] basis[step - 1] + level[1] ax,  ax = B basis[step - 1];   for i < step:  h[i] = basis[i] . q,  q -= h[i] basis[i]
//   then both: h[step] = |q|,  basis[step] = v = q / |q|, 0 where q is
//
// y, ax, v: [images, entries], basis: [images, iterations + 1, entries]; h: [images, side, side], side = iterations + 1, by columns:
// column 0 has the length of the right-hand side, column `step` what this step finds.
// A workgroup of SIZE invocations for each image, each with entries of its own; sums as in kernels/sampling/residual-norm. Prelude:
// SIZE, START.
const BLOCK: u32 = 16u;

struct Params {
  workgroups: u32, // images
  entries: u32,
  iterations: u32,
  step: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> y: array<f32>;
@group(0) @binding(2) var<storage, read> ax: array<f32>;
@group(0) @binding(3) var<storage, read> level: array<f32>;
@group(0) @binding(4) var<storage, read_write> basis: array<f32>;
@group(0) @binding(5) var<storage, read_write> h: array<f32>;
@group(0) @binding(6) var<storage, read_write> v: array<f32>;

// Of two vectors of the basis, by their first entries.
fn product(lid: u32, a: u32, b: u32) -> f32 {
  var sum = 0.0;
  for (var turn = 0u; turn < MANY; turn++) {
    let start = lid + SIZE * BLOCK * turn;
    if (start >= p.entries) {
      break;
    }
    var part = 0.0;
    for (var k = 0u; k < BLOCK; k++) {
      let i = start + k * SIZE;
      if (i < p.entries) {
        part += basis[a + i] * basis[b + i];
      }
    }
    sum += part;
  }
  // What an earlier sum left has been read by all.
  workgroupBarrier();
  return pair_sum(lid, sum);
}

fn each_workgroup(image: u32, lid: u32) {
  let side = p.iterations + 1u;
  let first = image * p.entries;
  let start = image * side * p.entries;
  let q = start + p.step * p.entries;
  let column = (image * side + p.step) * side;
  for (var turn = 0u; turn < MANY; turn++) {
    let i = lid + SIZE * turn;
    if (i >= p.entries) {
      break;
    }
    if (START) {
      basis[q + i] = y[first + i] - ax[first + i];
    } else {
      basis[q + i] = level[0] * basis[q - p.entries + i] + level[1] * ax[first + i];
    }
  }
  if (!START) {
    for (var j = 0u; j < MANY; j++) {
      if (j >= p.step) {
        break;
      }
      let known = start + j * p.entries;
      let share = product(lid, known, q);
      for (var turn = 0u; turn < MANY; turn++) {
        let i = lid + SIZE * turn;
        if (i >= p.entries) {
          break;
        }
        basis[q + i] -= share * basis[known + i];
      }
      if (lid == 0u) {
        h[column + j] = share;
      }
    }
  }
  let norm = sqrt(product(lid, q, q));
  if (lid == 0u) {
    h[column + p.step] = norm;
  }
  for (var turn = 0u; turn < MANY; turn++) {
    let i = lid + SIZE * turn;
    if (i >= p.entries) {
      break;
    }
    var entry = basis[q + i];
    if (norm != 0.0) {
      entry /= norm;
    }
    basis[q + i] = entry;
    v[first + i] = entry;
  }
}
