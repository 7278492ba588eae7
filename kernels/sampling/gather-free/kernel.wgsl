// The unobserved coordinates of particles: y [rows, free] = x [rows, dims] at indices [free].
struct Params {
  threads: u32, // rows * free
  dims: u32,
  free: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> indices: array<u32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

fn each(i: u32) {
  y[i] = x[(i / p.free) * p.dims + indices[i % p.free]];
}
