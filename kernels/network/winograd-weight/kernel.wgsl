// Filters [outChannels, inChannels, 3, 3] transformed for Winograd's products (Lavin & Gray 2016), U = G g G^T, and packed in
// groups of eight rows for `gemm`: [points][ceil(rows / 8)][depth][8], zero padded. Transposed, for the gradient of the
// layer's input: rows are input channels, filters are flipped.
// One invocation makes all points of four rows and one k. Prelude: TRANSPOSED, INPUT, G (rows of three), pack4.
struct Params {
  threads: u32,
  out_channels: u32,
  in_channels: u32,
  depth: u32,
  matrix: u32, // quads of one point's matrix
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> w: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<W4>;

// Tap j of the filters of four rows.
fn tap(row: u32, k: u32, j: u32) -> vec4f {
  let rows = select(p.out_channels, p.in_channels, TRANSPOSED);
  let entries = select(p.in_channels, p.out_channels, TRANSPOSED);
  var v = vec4f();
  for (var r = 0u; r < 4u; r++) {
    if (row + r < rows && k < entries) {
      let at = select((row + r) * p.in_channels + k, k * p.in_channels + row + r, TRANSPOSED);
      v[r] = w[9u * at + select(j, 8u - j, TRANSPOSED)];
    }
  }
  return v;
}

fn each(i: u32) {
  let line = i / 2u;
  let group = line / p.depth;
  let k = line - group * p.depth;
  let row = 8u * group + 4u * (i % 2u);
  var g: array<vec4f, 9>;
  for (var j = 0u; j < 9u; j++) {
    g[j] = tap(row, k, j);
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
