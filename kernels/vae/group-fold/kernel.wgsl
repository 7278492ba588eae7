// Second half of group normalisation (Wu & He 2018): statistics of the pieces to a scale and a shift per channel,
//
//   (x + bias - mean) / sqrt(variance + eps) * gamma + beta = x * affine[c][0] + affine[c][1].
//
//   partials [N * groups][pieces][2] (kernels/vae/group-stats), bias, gamma, beta [C];   affine [N, C, 2]
//
// One invocation per channel; pieces are joined in order by the pairwise formula of Chan et al. 1979.
struct Params {
  threads: u32,
  channels: u32,
  groups: u32,
  // Elements of a group, and its pieces.
  length: u32,
  pieces: u32,
  eps: f32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> partials: array<f32>;
@group(0) @binding(2) var<storage, read> bias: array<f32>;
@group(0) @binding(3) var<storage, read> gamma: array<f32>;
@group(0) @binding(4) var<storage, read> beta: array<f32>;
@group(0) @binding(5) var<storage, read_write> affine: array<f32>;

fn each(i: u32) {
  let c = i % p.channels;
  let g = (i / p.channels) * p.groups + c / (p.channels / p.groups);
  var count = 0.0;
  var mean = 0.0;
  var squares = 0.0;
  for (var piece = 0u; piece < MANY; piece++) {
    if (piece >= p.pieces) {
      break;
    }
    let n = f32(min(PIECE, p.length - piece * PIECE));
    let at = 2u * (g * p.pieces + piece);
    let delta = partials[at] - mean;
    let both = count + n;
    mean += delta * n / both;
    squares += partials[at + 1u] + delta * delta * count * n / both;
    count = both;
  }
  let scale = gamma[c] / sqrt(squares / f32(p.length) + p.eps);
  var offset = -mean;
  if (BIAS) {
    offset += bias[c];
  }
  affine[2u * i] = scale;
  affine[2u * i + 1u] = offset * scale + beta[c];
}
