fn load8(row: u32, quad: u32, lane: u32, pixels: u32) -> Eight {
  return Eight(load4(row, quad, pixels), load4(row, quad + 1u, pixels));
}
