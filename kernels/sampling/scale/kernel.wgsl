// y = factor[0] * x, element by element: white noise to noise of a level, for one.
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> factor: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

fn each(i: u32) {
  y[i] = factor[0] * x[i];
}
