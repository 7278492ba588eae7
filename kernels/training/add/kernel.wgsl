// a <- a + b over a bank, in place: gradients of the rounds of an update, added in the order of the rounds.
// a, b: f32 [elements], four at a time.
struct Params {
  threads: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> b: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> a: array<vec4f>;

fn each(i: u32) {
  a[i] += b[i];
}
