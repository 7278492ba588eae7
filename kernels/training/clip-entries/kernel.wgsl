// Projects the mixing weights of an NCVSD network onto [0, 1], in place: w[i] <- clip(w[i], 0, 1) for i in indices.
// w: f32 [elements], a bank of parameters; indices: u32 [count], each below elements and none twice.
struct Params {
  threads: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> indices: array<u32>;
@group(0) @binding(2) var<storage, read_write> w: array<f32>;

fn each(i: u32) {
  w[indices[i]] = clamp(w[indices[i]], 0.0, 1.0);
}
