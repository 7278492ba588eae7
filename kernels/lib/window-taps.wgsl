// Where a window reads, for kernels with the members inChannels, height, width, outHeight, outWidth, stride, padHeight and padWidth
// of Params, the buffer x and the constant PADDED: places are found for four output pixels at a time.

// Four output pixels: their image, their place in it, and where their windows begin.
struct Pixels {
  image: vec4u,
  place: vec4u,
  top: vec4i,
  left: vec4i,
}

fn pixelsOf(columns: vec4u) -> Pixels {
  let plane = p.outHeight * p.outWidth;
  let image = columns / plane;
  let place = columns - image * plane;
  let row = place / p.outWidth;
  let column = place - row * p.outWidth;
  return Pixels(
    image,
    place,
    vec4i(row * p.stride) - i32(p.padHeight),
    vec4i(column * p.stride) - i32(p.padWidth),
  );
}

// What a tap of the window reads: the index in x of the first channel's pixels, kept inside the image.
struct Tap {
  at: vec4u,
  inside: vec4<bool>,
}

fn tapOf(q: Pixels, ky: u32, kx: u32) -> Tap {
  let row = q.top + i32(ky);
  let column = q.left + i32(kx);
  let size = vec2i(i32(p.height), i32(p.width));
  // A negative number is a large one without its sign.
  let inside = (vec4u(row) < vec4u(p.height)) & (vec4u(column) < vec4u(p.width));
  let inRow = vec4u(clamp(row, vec4i(0), vec4i(size.x - 1)));
  let inColumn = vec4u(clamp(column, vec4i(0), vec4i(size.y - 1)));
  return Tap((q.image * p.inChannels * p.height + inRow) * p.width + inColumn, inside);
}

fn load4(at: vec4u, inside: vec4<bool>) -> vec4f {
  let v = vec4f(x[at.x], x[at.y], x[at.z], x[at.w]);
  if (PADDED) {
    return select(vec4f(), v, inside);
  }
  return v;
}
