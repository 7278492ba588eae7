// Particles by their ancestors: newX, newO [rows, dims], newPhi [rows] = x, o, phi of the row's ancestor, which ancestors [rows]
// number within the run. One invocation: one row, rows = runs * particles.
struct Params {
  threads: u32, // rows
  particles: u32,
  dims: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> ancestors: array<u32>;
@group(0) @binding(2) var<storage, read> x: array<f32>;
@group(0) @binding(3) var<storage, read> phi: array<f32>;
@group(0) @binding(4) var<storage, read> o: array<f32>;
@group(0) @binding(5) var<storage, read_write> newX: array<f32>;
@group(0) @binding(6) var<storage, read_write> newPhi: array<f32>;
@group(0) @binding(7) var<storage, read_write> newO: array<f32>;

fn each(row: u32) {
  let source = (row / p.particles) * p.particles + ancestors[row];
  newPhi[row] = phi[source];
  for (var d = 0u; d < MANY; d++) {
    if (d >= p.dims) {
      break;
    }
    newX[row * p.dims + d] = x[source * p.dims + d];
    newO[row * p.dims + d] = o[source * p.dims + d];
  }
}
