// B^T d B of F(2x2, 3x3): patches of 4x4. Points 0, 1, -1, infinity.
const TILE: i32 = 2;
const BEFORE: i32 = 1;
const ROWS: i32 = 4;

alias Pixels = array<vec4f, 4>;
alias Line = array<vec4f, 4>;
alias Patch = array<Line, 4>;

// B^T of one row.
fn line(r: Pixels) -> Line {
  let d0 = r[0];
  let d1 = r[1];
  let d2 = r[2];
  let d3 = r[3];
  return Line(d2 - d0, d1 + d2, d2 - d1, d3 - d1);
}

// Row i of B^T.
fn weights(i: u32) -> vec4f {
  return vec4f(
    select(0.0, -1.0, i == 0u),
    select(select(-1.0, 1.0, i == 1u), 0.0, i == 0u),
    select(1.0, 0.0, i == 3u),
    select(0.0, 1.0, i == 3u),
  );
}
