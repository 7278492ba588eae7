// Where particles start: coordinates that are observed hold their values, the others are uniform in the box or given.
//
//   x [rows, dims], rows = runs * particles; u [rows, free] and indices [free]: the unobserved coordinates, in order;
//   values [runs, dims]: of the observed coordinates (what stands at the others is not used); low, high [free]: the box
//
// RECORDED: u is given. Otherwise u = low + (high - low) v, v of draw 0 for "start" of the run's seed, entry by entry. One
// invocation: one row. (Clamping: Wedenig and Peharz, "Effective Diffusion-free Score Matching for Exact Conditional
// Sampling", section 4.) Needs kernels/lib/uniform-at.wgsl.
struct Params {
  threads: u32, // rows
  particles: u32,
  dims: u32,
  free: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> values: array<f32>;
@group(0) @binding(2) var<storage, read> indices: array<u32>;
@group(0) @binding(3) var<storage, read> low: array<f32>;
@group(0) @binding(4) var<storage, read> high: array<f32>;
@group(0) @binding(5) var<storage, read> seeds: array<u32>;
@group(0) @binding(6) var<storage, read> u: array<f32>;
@group(0) @binding(7) var<storage, read_write> x: array<f32>;

fn each(row: u32) {
  let run = row / p.particles;
  for (var d = 0u; d < MANY; d++) {
    if (d >= p.dims) {
      break;
    }
    x[row * p.dims + d] = values[run * p.dims + d];
  }
  for (var j = 0u; j < MANY; j++) {
    if (j >= p.free) {
      break;
    }
    var at = 0.0;
    if (RECORDED) {
      at = u[row * p.free + j];
    } else {
      let v = uniformAt(seeds[run], 0u, 3u, (row % p.particles) * p.free + j);
      at = low[j] + (high[j] - low[j]) * v;
    }
    x[row * p.dims + indices[j]] = at;
  }
}
