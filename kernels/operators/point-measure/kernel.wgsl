// Pointwise measurements of images [batch, 1 or C, height, width], LAW says which:
//
//   CLIP       clip(scale x, -1, 1); with GRADIENT that of (clip(scale x) - measured)^2, which is 0 where it is clipped
//   ROUND      x to the nearest of L + 1 = scale + 1 levels 2 j / L - 1
//   BLOCKS     floor((127.5 x - 4 at the first entry of each block of 8 x 8) / steps + 1/2), of DCT coefficients (JPEG)
//   COUNTS     max(0, scale (x + 1) / 2 + offset)
struct Params {
  threads: u32,
  width: u32,
  scale: f32,
  offset: f32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> measured: array<f32>;
@group(0) @binding(3) var<storage, read> steps: array<f32>;
@group(0) @binding(4) var<storage, read_write> y: array<f32>;

fn each(i: u32) {
  let v = x[i];
  if (LAW == CLIP) {
    let clipped = clamp(p.scale * v, -1.0, 1.0);
    if (GRADIENT) {
      y[i] = select(0.0, 2.0 * p.scale * (clipped - measured[i]), abs(p.scale * v) <= 1.0);
    } else {
      y[i] = clipped;
    }
  } else if (LAW == ROUND) {
    y[i] = 2.0 * clamp(floor((0.5 * v + 0.5) * p.scale + 0.5), 0.0, p.scale) / p.scale - 1.0;
  } else if (LAW == BLOCKS) {
    let place = (i / p.width) % 8u * 8u + i % p.width % 8u;
    y[i] = floor((127.5 * v - select(0.0, 4.0, place == 0u)) / steps[place] + 0.5);
  } else {
    y[i] = max(0.0, 0.5 * p.scale * (v + 1.0) + p.offset);
  }
}
