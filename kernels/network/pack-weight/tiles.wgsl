// One invocation packs a tile of four output by four input channels, of one tap: quads are read, and quads are written.
alias W = vec4f;

fn each(i: u32) {
  let across = p.in_channels / 4u;
  let down = p.out_channels / 4u;
  // Tiles along the packed depth, and the quad of rows; of groups the two halves of eight rows are neighbours.
  let along = select(across, down, TRANSPOSED);
  let half = select(0u, i % 2u, GROUPS);
  let line = select(i, i / 2u, GROUPS);
  let lines = line / along;
  let k = line - lines * along;
  let row = select(lines, 2u * lines + half, GROUPS);
  let o = select(row, k, TRANSPOSED);
  let c = select(k, row, TRANSPOSED);
  var v: array<vec4f, 4>;
  for (var j = 0u; j < 4u; j++) {
    v[j] = w[(4u * o + j) * across + c];
    if (SCALED) {
      v[j] *= scale[4u * o + j];
    }
  }
  if (GROUPS != TRANSPOSED) {
    let t = v;
    for (var j = 0u; j < 4u; j++) {
      v[j] = vec4f(t[0][j], t[1][j], t[2][j], t[3][j]);
    }
  }
  let at = select(4u * row * along + k, 2u * (lines * p.depth + 4u * k) + half, GROUPS);
  let step = select(along, 2u, GROUPS);
  for (var j = 0u; j < 4u; j++) {
    y[at + j * step] = packed(v[j]);
  }
}
