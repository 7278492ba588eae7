// Tweedie moment projected diffusions (Boys et al. 2023): the covariance of y given the present state taken as diagonal,
//
//   w = (y - ax) / (level[0] + level[1] gain),   level = [s_y^2, s^2], gain = A J' A' 1
//
// entry by entry. Far from an exact denoiser the divisor may vanish or turn negative: it is divided by all the same.
@group(0) @binding(1) var<storage, read> y: array<f32>;
@group(0) @binding(2) var<storage, read> ax: array<f32>;
@group(0) @binding(3) var<storage, read> gain: array<f32>;
@group(0) @binding(4) var<storage, read> level: array<f32>;
@group(0) @binding(5) var<storage, read_write> w: array<f32>;

fn each(i: u32) {
  w[i] = (y[i] - ax[i]) / (level[0] + level[1] * gain[i]);
}
