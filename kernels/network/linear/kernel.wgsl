// Magnitude-preserving linear layer: y [N, M] = x [N, K] w^T (+ 1); normalisation, gain and 1/sqrt(K) are folded into w at
// load. The 1 is that of c = emb_linear(emb) + 1 (EDM2, Karras et al. 2024).
//
//   x [N, K] f32   w [M, K rounded up to a multiple of 4], zero padded   y [N, M] f32
//
// One workgroup: 8 outputs of up to 4 images. The 8 invocations of an output take every eighth quad of k, so that they
// read w in runs; their sums meet in workgroup memory in a fixed order. Prelude: L4, quad_of.
struct Params {
  batch: u32,
  inFeatures: u32,
  outFeatures: u32,
  // 0 or 1, added to every sum
  plus: f32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> w: array<L4>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

var<workgroup> partial: array<vec4f, 64>;

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) nwg: vec3u,
  @builtin(local_invocation_index) lid: u32,
) {
  let groups = (p.outFeatures + 7u) / 8u;
  let tile = wid.y * nwg.x + wid.x;
  if (tile >= groups * ((p.batch + 3u) / 4u)) {
    return;
  }
  let output = (tile % groups) * 8u + lid / 8u;
  let image = (tile / groups) * 4u;
  // Past the last output or image, the last one is computed again and not stored.
  let quads = (p.inFeatures + 3u) / 4u;
  let row = min(output, p.outFeatures - 1u) * quads;
  let images = min(vec4u(image, image + 1u, image + 2u, image + 3u), vec4u(p.batch - 1u)) * p.inFeatures;

  var acc = vec4f();
  for (var turn = 0u; turn < MANY; turn++) {
    let quad = lid % 8u + 8u * turn;
    if (quad >= quads) {
      break;
    }
    let weights = quad_of(w[row + quad]);
    for (var i = 0u; i < 4u; i++) {
      // Past the last k the weight is zero.
      let k = min(4u * quad + i, p.inFeatures - 1u);
      acc += weights[i] * vec4f(x[images.x + k], x[images.y + k], x[images.z + k], x[images.w + k]);
    }
  }
  partial[lid] = acc;
  workgroupBarrier();

  // Invocation 8 o + i adds up output o of image i.
  let i = lid % 8u;
  if (i < 4u && image + i < p.batch && output < p.outFeatures) {
    let first = lid - i;
    var sum = 0.0;
    for (var j = 0u; j < 8u; j++) {
      sum += partial[first + j][i];
    }
    y[(image + i) * p.outFeatures + output] = sum + p.plus;
  }
}
