// Any number of input channels: those of the quad that are there, from y[at] on.
alias V = f32;

fn put(at: u32, channel: u32, g: ptr<function, Taps>) {
  for (var c = 0u; c < MANY; c++) {
    if (c >= min(4u, p.inChannels - channel)) {
      break;
    }
    for (var i = 0; i < SIDE; i++) {
      for (var j = 0; j < SIDE; j++) {
        y[at + c * u32(SIDE * SIDE) + u32(i * SIDE + j)] = (*g)[i][j].x;
        (*g)[i][j] = (*g)[i][j].yzwx;
      }
    }
  }
}
