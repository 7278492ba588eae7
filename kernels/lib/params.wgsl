// For kernels made by kernels/lib/elementwise.ts that need no more of the host than how often `each(i)` runs.
struct Params {
  threads: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
