// The embedding of noise levels and classes in one node (EDM2, Karras et al. 2024, figure 21):
//
//   y[n] = mp_silu(mp_sum(W_noise MPFourier(ln(sigma[n]) / 4), W_label labels[n], t))
//
//   sigma [N] f32   freqs, phases [C] f32   labels [N, L] f32   y [N, M] f32
//   w [M, C rounded up to a multiple of 32, then L rounded up to one of 4]: W_noise beside W_label, zero padded
//
// Normalisation, 1/sqrt(fan-in) and sqrt(L) are folded into the weights at load; without LABELS there are no classes and no
// sum. To the bit what the kernels fourier, linear, mp-sum and mp-silu give one after another. One workgroup: 16 outputs of up
// to 4 images, 32 inputs at a time in workgroup memory, one of an image by each invocation. The 8 invocations of an output take every eighth quad of inputs;
// their sums meet in workgroup memory in a fixed order. In front of this text: kernels/lib/math.wgsl, mp-fourier.wgsl,
// mp-silu-loaded.wgsl. Prelude: F, L4, quad_of, LABELS.
struct Params {
  batch: u32,
  noiseChannels: u32,
  labelDim: u32,
  outFeatures: u32,
  weight_a: f32,
  weight_b: f32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> sigma: array<f32>;
@group(0) @binding(2) var<storage, read> freqs: array<f32>;
@group(0) @binding(3) var<storage, read> phases: array<f32>;
@group(0) @binding(4) var<storage, read> labels: array<f32>;
@group(0) @binding(5) var<storage, read> w: array<L4>;
@group(0) @binding(6) var<storage, read_write> y: array<f32>;

// [input][image]
var<workgroup> inputs: array<f32, 128>;
// Of levels, then of classes.
var<workgroup> partial: array<vec4f, 256>;

@compute @workgroup_size(128)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) nwg: vec3u,
  @builtin(local_invocation_index) lid: u32,
) {
  let groups = (p.outFeatures + 15u) / 16u;
  let tile = wid.y * nwg.x + wid.x;
  if (tile >= groups * ((p.batch + 3u) / 4u)) {
    return;
  }
  let output = (tile % groups) * 16u + lid / 8u;
  let image = (tile / groups) * 4u;
  let noiseTurns = (p.noiseChannels + 31u) / 32u;
  let quads = 8u * noiseTurns + (p.labelDim + 3u) / 4u;
  // Past the last output, image or input the last one is computed again, and not stored or times 0.
  let row = min(output, p.outFeatures - 1u) * quads;

  partial[lid] = vec4f();
  partial[128u + lid] = vec4f();
  for (var turn = 0u; turn < MANY; turn++) {
    if (8u * turn >= quads) {
      break;
    }
    let n = min(image + lid % 4u, p.batch - 1u);
    let k = 32u * turn + lid / 4u;
    if (turn < noiseTurns) {
      let channel = min(k, p.noiseChannels - 1u);
      inputs[lid] = mp_fourier(sigma[n], freqs[channel], phases[channel]);
    } else {
      inputs[lid] = labels[n * p.labelDim + min(k - 32u * noiseTurns, p.labelDim - 1u)];
    }
    workgroupBarrier();
    let quad = lid % 8u + 8u * turn;
    if (quad < quads) {
      let weights = quad_of(w[row + quad]);
      let at = lid + select(0u, 128u, turn >= noiseTurns);
      var sum = partial[at];
      for (var i = 0u; i < 4u; i++) {
        let k = 16u * (lid % 8u) + 4u * i;
        sum += weights[i] * vec4f(inputs[k], inputs[k + 1u], inputs[k + 2u], inputs[k + 3u]);
      }
      partial[at] = sum;
    }
    workgroupBarrier();
  }

  // Invocation 8 o + i adds up output o of image i.
  let i = lid % 8u;
  if (i < 4u && image + i < p.batch && output < p.outFeatures) {
    var sum = sum_of_eight(lid - i, i);
    if (LABELS) {
      sum = p.weight_a * sum + p.weight_b * sum_of_eight(128u + lid - i, i);
    }
    y[(image + i) * p.outFeatures + output] = mp_silu(sum);
  }
}

fn sum_of_eight(first: u32, i: u32) -> f32 {
  var sum = 0.0;
  for (var j = 0u; j < 8u; j++) {
    sum += partial[first + j][i];
  }
  return sum;
}
