// Norms of four times as many keys of a tile as there are invocations: a quad each.
alias Norms = vec4f;

fn loadNorms(row: u32, first: u32, lid: u32, pixels: u32) -> vec4f {
  return load4(row, first / 4u + lid, pixels);
}

fn putNorms(lid: u32, k: vec4f, v: vec4f) {
  for (var i = 0u; i < 4u; i++) {
    invK[4u * lid + i] = k[i];
    invV[4u * lid + i] = v[i];
  }
}
