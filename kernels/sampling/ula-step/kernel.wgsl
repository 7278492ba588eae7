// One step of unadjusted Langevin dynamics for the likelihood step of PnP-GD with an energy E (NCVSD, section 4), in
// place on x [batch, elements]; level = [eta, beta, sigma^2, sqrt(2 eta)], origin = x_0, gradient = grad E(x):
//
//   x <- x - eta (gradient / beta + (x - origin) / sigma^2) + sqrt(2 eta) z
//
// RECORDED: z is given. Otherwise it is made here, as kernels/sampling/normal makes it for draw number draw[0] of every image's
// seed, and nextDraw[0] = draw[0] + 1: two of these steps, with the two buffers exchanged, run for ever without the
// host. One invocation: four elements. Needs kernels/lib/math.wgsl and kernels/lib/philox.wgsl.
struct Params {
  threads: u32,
  elements: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> x: array<f32>;
@group(0) @binding(2) var<storage, read> origin: array<f32>;
@group(0) @binding(3) var<storage, read> gradient: array<f32>;
@group(0) @binding(4) var<storage, read> level: array<f32>;
@group(0) @binding(5) var<storage, read> z: array<f32>;
@group(0) @binding(6) var<storage, read> seeds: array<u32>;
@group(0) @binding(7) var<storage, read> draw: array<u32>;
@group(0) @binding(8) var<storage, read_write> nextDraw: array<u32>;

fn each(i: u32) {
  let quads = (p.elements + 3u) / 4u;
  if (!RECORDED && i == 0u) {
    nextDraw[0] = draw[0] + 1u;
  }
  let n = i / quads;
  let quad = i % quads;
  let first = n * p.elements + 4u * quad;
  let count = min(4u, p.elements - 4u * quad);
  var noise: vec4f;
  if (RECORDED) {
    for (var j = 0u; j < MANY; j++) {
      if (j >= count) {
        break;
      }
      noise[j] = z[first + j];
    }
  } else {
    noise = normal4(seeds[n], draw[0], quad);
  }
  for (var j = 0u; j < MANY; j++) {
    if (j >= count) {
      break;
    }
    let v = x[first + j];
    let slope = gradient[first + j] / level[1] + (v - origin[first + j]) / level[2];
    x[first + j] = v - level[0] * slope + level[3] * noise[j];
  }
}
