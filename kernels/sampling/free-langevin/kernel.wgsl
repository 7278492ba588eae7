// A step of unadjusted Langevin dynamics of the unobserved coordinates, in place (Wedenig and Peharz, section 4):
//
//   x += eta beta scale o + sqrt(2 eta) z
//
// plan [steps, 2] holds eta beta scale and sqrt(2 eta) of every step; step [1] is the number of this one, next [1] becomes the
// number of the following: two of these, with the two buffers exchanged, run for ever without the host. A step that would
// leave the box is not taken.
//
//   x, o [rows, dims], rows = runs * particles; box [3, free]
//
// RECORDED: draws [rows, free] are the bits of z. Otherwise draws [runs] are seeds, and z is draw number step of its run. One
// invocation: one row. Needs kernels/lib/philox.wgsl.
struct Params {
  threads: u32, // rows
  particles: u32,
  dims: u32,
  free: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> x: array<f32>;
@group(0) @binding(2) var<storage, read> o: array<f32>;
@group(0) @binding(3) var<storage, read> box: array<u32>;
@group(0) @binding(4) var<storage, read> plan: array<f32>;
@group(0) @binding(5) var<storage, read> step: array<u32>;
@group(0) @binding(6) var<storage, read> draws: array<u32>;
@group(0) @binding(7) var<storage, read_write> next: array<u32>;

// The new value of free coordinate j of a row, and whether it stays in the box.
struct Move {
  to: f32,
  inside: bool,
}

fn moved(row: u32, j: u32) -> Move {
  var z = 0.0;
  if (RECORDED) {
    z = bitcast<f32>(draws[row * p.free + j]);
  } else {
    let e = (row % p.particles) * p.free + j;
    z = normal4(draws[row / p.particles], step[0], e / 4u)[e % 4u];
  }
  let at = row * p.dims + box[j];
  let to = x[at] + (plan[2u * step[0]] * o[at] + plan[2u * step[0] + 1u] * z);
  return Move(to, to >= bitcast<f32>(box[p.free + j]) && to <= bitcast<f32>(box[2u * p.free + j]));
}

fn each(row: u32) {
  if (row == 0u) {
    next[0] = step[0] + 1u;
  }
  var inside = true;
  for (var j = 0u; j < MANY; j++) {
    if (j >= p.free) {
      break;
    }
    inside = inside && moved(row, j).inside;
  }
  if (inside) {
    for (var j = 0u; j < MANY; j++) {
      if (j >= p.free) {
        break;
      }
      x[row * p.dims + box[j]] = moved(row, j).to;
    }
  }
}
