// Quads of f16 as two words: on a CPU a word is one access where its halves are two, and halves made by integer operations
// on eight lanes are cheaper than eight conversions of one.
alias V = vec2u;

fn load(words: V) -> F {
  return F(unpack2x16float(words.x), unpack2x16float(words.y));
}

fn store(v: F) -> V {
  let h = halves(v);
  return V(h.x | (h.y << 16u), h.z | (h.w << 16u));
}

// Bits of the nearest f16 of each, ties to even.
fn halves(v: vec4f) -> vec4u {
  let bits = bitcast<vec4u>(v);
  let size = bits & vec4u(0x7fffffffu);
  // The exponent's bias goes from 127 to 15, and 13 bits are rounded away; a carry into the exponent is as it should be.
  let normal = (size + vec4u(0xc8000fffu) + ((size >> vec4u(13u)) & vec4u(1u))) >> vec4u(13u);
  // Below 2^-14: adding 0.5 rounds to multiples of 2^-24, which are left in the low bits.
  let small = bitcast<vec4u>(bitcast<vec4f>(size) + vec4f(0.5)) - vec4u(0x3f000000u);
  // From 2^16 on: infinity, or not a number.
  let large = select(vec4u(0x7c00u), vec4u(0x7e00u), size > vec4u(0x7f800000u));
  let finite = select(normal, small, size < vec4u(0x38800000u));
  return select(finite, large, size >= vec4u(0x47800000u)) | ((bits >> vec4u(16u)) & vec4u(0x8000u));
}
