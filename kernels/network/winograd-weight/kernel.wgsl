// Filters [outChannels, inChannels, 3, 3] transformed for Winograd's products (Lavin & Gray 2016), U = G g G^T, and packed in
// groups of eight rows for `gemm`: [points][ceil(rows / 8)][depth][8], zero padded. Transposed, for the gradient of the
// layer's input: rows are input channels, filters are flipped. What is transformed is the weight times `scale` of its output channel.
// One invocation makes all points of four rows and one k. Prelude: TRANSPOSED, INPUT, G (rows of three), pack4.
struct Params {
  threads: u32,
  out_channels: u32,
  in_channels: u32,
  depth: u32,
  matrix: u32, // quads of one point's matrix
  side: u32, // of a filter: 3
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> w: array<f32>;
@group(0) @binding(2) var<storage, read> scale: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<W4>;

fn each(i: u32) {
  let line = i / 2u;
  let group = line / p.depth;
  let k = line - group * p.depth;
  let row = 8u * group + 4u * (i % 2u);
  let rows = select(p.out_channels, p.in_channels, TRANSPOSED);
  let entries = select(p.in_channels, p.out_channels, TRANSPOSED);
  // Rows and entries past the last repeat it, times 0: no branches, which software adapters pay for at every access.
  let channels = min(vec4u(row) + vec4u(0u, 1u, 2u, 3u), vec4u(rows - 1u));
  let entry = min(k, entries - 1u);
  let here = (vec4u(row) + vec4u(0u, 1u, 2u, 3u) < vec4u(rows)) & vec4<bool>(k < entries);
  var at = 9u * (channels * p.in_channels + entry);
  var s = vec4f(scale[channels.x], scale[channels.y], scale[channels.z], scale[channels.w]);
  if (TRANSPOSED) {
    at = 9u * (entry * p.in_channels + channels);
    s = vec4f(scale[entry]);
  }
  s = select(vec4f(), s, here);
  // A row of the filter a turn, and the rows move along: all nine unrolled would take software adapters longer to compile.
  var g: array<vec4f, 9>;
  for (var turn = 0u; turn < MANY; turn++) {
    if (turn >= p.side) {
      break;
    }
    for (var j = 0u; j < 6u; j++) {
      g[j] = g[j + 3u];
    }
    for (var j = 0u; j < 3u; j++) {
      let tap = 3u * turn + j;
      let a = at + select(tap, 8u - tap, TRANSPOSED);
      g[6u + j] = vec4f(w[a.x], w[a.y], w[a.z], w[a.w]) * s;
    }
  }
  for (var a = 0u; a < INPUT; a++) {
    let ga = G[a];
    let x = ga.x * g[0] + ga.y * g[3] + ga.z * g[6];
    let y0 = ga.x * g[1] + ga.y * g[4] + ga.z * g[7];
    let z = ga.x * g[2] + ga.y * g[5] + ga.z * g[8];
    for (var b = 0u; b < INPUT; b++) {
      let gb = G[b];
      y[(a * INPUT + b) * p.matrix + i] = pack4(gb.x * x + gb.y * y0 + gb.z * z);
    }
  }
}
