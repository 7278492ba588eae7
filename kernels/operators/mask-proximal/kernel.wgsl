// The posterior draw of a mask m [elements]: likelihood N(measured; m x', s^2), prior N(x'; x, rho^2),
// level = [s, rho], z standard normal, images [batch, elements]:
//
//   known pixels:   x + (measured - x) rho^2 / (s^2 + rho^2) + s rho / sqrt(s^2 + rho^2) z
//   the others:     x + rho z                                                (`measured` is not looked at)
struct Params {
  threads: u32,
  elements: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> measured: array<f32>;
@group(0) @binding(3) var<storage, read> z: array<f32>;
@group(0) @binding(4) var<storage, read> mask: array<f32>;
@group(0) @binding(5) var<storage, read> level: array<f32>;
@group(0) @binding(6) var<storage, read_write> y: array<f32>;

fn each(i: u32) {
  let rho = level[1];
  var mean = x[i];
  var deviation = rho;
  if (mask[i % p.elements] != 0.0) {
    let ratio = rho / level[0];
    let spread = 1.0 + ratio * ratio;
    mean += (measured[i] - mean) * (ratio * ratio / spread);
    deviation = rho / sqrt(spread);
  }
  y[i] = mean + deviation * z[i];
}
