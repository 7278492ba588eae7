// Attention over tokens (Vaswani et al. 2017, equation 1), f32: y = softmax(q k^T / sqrt(d)) v in every head.
//
//   qkv [N, 3 heads d, P]: channel (part heads + head) d + c, parts q, k, v    y [N, heads d, P]
//
// The sums run along with the largest logit so far and are scaled when it rises, so that the logits are kept nowhere. Keys past
// `keys` are padding. The loops are in subgroup.ts (software adapters with subgroups of 8, heads of at most 64 channels, rows of
// whole quads) and plain.wgsl (all others), one of them in front of this text, with HEAD (d) and `Element`.
struct Params {
  threads: u32,
  heads: u32,
  // Heads of all images.
  allHeads: u32,
  tokens: u32,
  quads: u32,
  keys: u32,
  scale: f32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> qkv: array<Element>;
@group(0) @binding(2) var<storage, read_write> y: array<Element>;
