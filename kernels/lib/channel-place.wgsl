// Of kernels that fill an operand [panels][octets][..][16 places][8 channels] (kernels/lib/channel-operand.ts), with the members
// channels, octets, height, width and `places` (that the operand holds) of Params: a quad of channels of a place.
struct Place {
  at: u32,
  channel: u32,
  // Channels of the quad that are there: none past the last place.
  real: u32,
}

// Of invocation t: place `at` of the panel of this cell, a panel's octet of channels.
fn placeOf(cell: u32, at: u32, t: u32) -> Place {
  // Remainders by multiplication: software adapters divide lane by lane.
  let panel = cell / p.octets;
  let octet = cell - panel * p.octets;
  let place = panel * 16u + at;
  let channel = octet * 8u + t % 2u * 4u;
  return Place(place, channel, select(0u, p.channels - min(p.channels, channel), place < p.places));
}

// Where the quad's channels of image n begin in x.
fn planesOf(n: u32, channel: u32) -> vec4u {
  return (n * p.channels + min(vec4u(channel) + vec4u(0u, 1u, 2u, 3u), vec4u(p.channels - 1u))) * (p.height * p.width);
}
