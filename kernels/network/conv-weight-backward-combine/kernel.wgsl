// The last step of a weight gradient: sums over its pieces, in order, and G^T u G where u is at the points of a Winograd
// transform (Lavin & Gray 2016, the transpose of the filters' transform; points in kernels/lib/winograd.ts).
//
//   u [octets of O * 8][pieces][points][octets of C * 8]   y [O, C, k, k]
//
// One invocation: one output channel and a quad of input channels, one component of a vec4 each. What comes of the points is in
// taps.wgsl, tile2.wgsl and tile4.wgsl, how it is stored in put-scalars.wgsl and puts.ts, one of each in front of this text.
struct Params {
  // Of u; of y they are those from firstChannel on.
  outChannels: u32,
  firstChannel: u32,
  inChannels: u32,
  pieces: u32,
  // Along one side of the points: m + 2, or k.
  lines: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> u: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> y: array<V>;

// u at a point, over all pieces. `at` is the quad's place at the first piece and point.
fn piecewise(point: u32, at: u32, quads: u32) -> vec4f {
  var sum = vec4f();
  for (var piece = 0u; piece < MANY; piece++) {
    if (piece >= p.pieces) {
      break;
    }
    sum += u[(piece * p.lines * p.lines + point) * quads + at];
  }
  return sum;
}

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) nwg: vec3u,
  @builtin(local_invocation_index) lid: u32,
) {
  let quads = (p.inChannels + 7u) / 8u * 2u;
  let t = (wid.y * nwg.x + wid.x) * 64u + lid;
  if (t >= p.outChannels * quads) {
    return;
  }
  let row = t / quads;
  let column = t % quads;
  // Loops that take their length from the uniform stay loops, and the rows move along instead of being indexed: unrolled,
  // they cost software adapters seconds of compilation.
  var g: Taps;
  for (var i = 0u; i < MANY; i++) {
    if (i >= p.lines) {
      break;
    }
    line(i, row * p.pieces * p.lines * p.lines * quads + column, quads, &g);
  }
  if (column * 4u < p.inChannels) {
    put(((p.firstChannel + row) * p.inChannels + column * 4u) * u32(SIDE * SIDE), column * 4u, &g);
  }
}
