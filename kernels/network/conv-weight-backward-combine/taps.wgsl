// Points that are the taps themselves.
fn line(i: u32, at: u32, quads: u32, g: ptr<function, Taps>) {
  for (var k = 0; k < SIDE - 1; k++) {
    (*g)[k] = (*g)[k + 1];
  }
  for (var j = 0; j < SIDE; j++) {
    (*g)[SIDE - 1][j] = piecewise(i * u32(SIDE) + u32(j), at, quads);
  }
}
