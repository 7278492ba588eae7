// The vectors of conjugate gradients on |A e - d|^2 + t^2 |e|^2, t = s / rho, with the numbers of kernels/operators/cgls-scalars
// (state [images, 16]: 1 al, 2 ratio). Each part changes y, and the first also y2:
//
//   PART 0, the picture:      e += al p,  r2 -= al t p          y = e, y2 = r2, a = p
//   PART 1, the measurement:  r1 -= al q                        y = r1, a = q
//   PART 2, the direction:    p = A'r1 + t r2 + ratio p         y = p, a = A'r1, b = r2
struct Params {
  threads: u32,
  elements: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> a: array<f32>;
@group(0) @binding(2) var<storage, read> b: array<f32>;
@group(0) @binding(3) var<storage, read> state: array<f32>;
@group(0) @binding(4) var<storage, read> level: array<f32>;
@group(0) @binding(5) var<storage, read_write> y: array<f32>;
@group(0) @binding(6) var<storage, read_write> y2: array<f32>;

fn each(i: u32) {
  let at = 16u * (i / p.elements);
  if (PART == 0) {
    let step = state[at + 1u] * a[i];
    y[i] += step;
    y2[i] -= level[0] / level[1] * step;
  } else if (PART == 1) {
    y[i] -= state[at + 1u] * a[i];
  } else {
    y[i] = a[i] + level[0] / level[1] * b[i] + state[at + 2u] * y[i];
  }
}
