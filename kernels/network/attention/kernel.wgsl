// Cosine attention of EDM2 (Karras et al. 2024) over the pixels of an image, one head a time:
//
//   y = sum_k w_k v_k,  w = softmax over keys k of (q . k / sqrt(d)),
//
// q, k and v normalised over the d channels of the head: x / (1e-4 + sqrt(mean_c x^2)).
//
//   qkv [N, heads * d * 3, P], channel (head * d + c) * 3 + s with s = 0, 1, 2 for q, k, v;   y [N, heads * d, P]
//
// |q . k| / sqrt(d) <= sqrt(d), since all are normalised: exp cannot overflow for d <= 4096, so that one pass over the
// keys will do and nothing is rescaled.
//
// The loops are in few.wgsl (GPUs), subgroup.ts (software adapters with subgroups of 8, heads of at most 64 channels) and
// tiled.wgsl (other software adapters), one of them in front of this text; in front of them `Element`, `Stored`, rowLength, load4 and store4 from
// load-*.wgsl. Pixels are counted in quads of four.

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> qkv: array<Element>;
@group(0) @binding(2) var<storage, read_write> y: array<Stored>;
