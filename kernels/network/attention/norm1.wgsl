// Norms of as many keys of a tile as there are invocations: one each.
alias Norms = f32;

fn loadNorms(row: u32, first: u32, lid: u32, pixels: u32) -> f32 {
  return load1(row, 0u, first + lid, pixels);
}

fn putNorms(lid: u32, k: f32, v: f32) {
  invK[lid] = k;
  invV[lid] = v;
}
