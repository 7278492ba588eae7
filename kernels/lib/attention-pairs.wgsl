// Buffers of the two kernels over pairs of pixels of attention's backward pass; `totals`, binding 4, is written by one of them.
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> qkv: array<V>;
@group(0) @binding(2) var<storage, read> g: array<V>;
@group(0) @binding(3) var<storage, read> norms: array<vec4f>;
@group(0) @binding(5) var<storage, read_write> gqkv: array<V>;
