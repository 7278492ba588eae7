// Running average of samples, in place: average <- decay[0] average + (1 - decay[0]) x. With decay 0 the average is x
// and its old value is not looked at.
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> decay: array<f32>;
@group(0) @binding(3) var<storage, read_write> average: array<f32>;

fn each(i: u32) {
  let mu = decay[0];
  if (mu == 0.0) {
    average[i] = x[i];
  } else {
    average[i] = mu * average[i] + (1.0 - mu) * x[i];
  }
}
