// A whole step of the leapfrog between the first and the last half step of momentum (Neal 2011), in place, for particles of
// many runs, each with its own beta and step size eps (state):
//
//   m += eps beta scale o,   x += eps m       o = grad phi at x, taken as 0 where x is outside of the box
//
//   x, o [rows, dims], rows = runs * particles; m [rows, free + 2]; box [3, free]; state [runs, RUN]
//
// One invocation: one row. Needs kernels/lib/run-state.wgsl and kernels/lib/free-box.wgsl.
struct Params {
  threads: u32, // rows
  particles: u32,
  dims: u32,
  free: u32,
  scale: f32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> x: array<f32>;
@group(0) @binding(2) var<storage, read> o: array<f32>;
@group(0) @binding(3) var<storage, read> box: array<u32>;
@group(0) @binding(4) var<storage, read> state: array<f32>;
@group(0) @binding(5) var<storage, read_write> m: array<f32>;

fn each(row: u32) {
  let inside = insideBox(row * p.dims, p.free);
  let s = (row / p.particles) * RUN;
  let eps = state[s + STEP];
  let kick = eps * state[s + BETA] * p.scale;
  for (var j = 0u; j < MANY; j++) {
    if (j >= p.free) {
      break;
    }
    let at = row * p.dims + box[j];
    let own = row * (p.free + 2u) + j;
    var pushed = m[own];
    if (inside) {
      pushed += kick * o[at];
    }
    m[own] = pushed;
    x[at] += eps * pushed;
  }
}
