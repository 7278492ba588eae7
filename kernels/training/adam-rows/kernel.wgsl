// Adam (kernels/training/adam: the same equations, the same rule for gradients that are not finite) over rows of a bank, in place,
// with what forced weight normalisation needs of a row while it is at hand. Weights are stored as Adam left them; what they have been
// divided by since (normalize-rows) is a factor of each row, which is multiplied on here:
//   w <- adam(factor w),  state[row] = (RMS(w), 1, count of gradients that were not finite, added to)
// and with the new w up to two power-function averages, average <- average + rest (w - average).
// g, w, m, v, first_average, second_average: f32, a bank or a part of it. table: u32 [rows][4] = first value, values, -, 1 for a row of
// a weight. state: f32, settings and then [rows][4]; settings = rate, root, beta1, 1 - beta1, beta2, 1 - beta2, eps, whether anything moves
// (0: all that changes is factor and RMS, for values from elsewhere), rests of the averages. Of rows that are no weight's the first new
// value takes the place of the RMS. The count is two numbers, below 2^20 and multiples of it, so that neither loses a one.
// A workgroup of SIZE invocations a row. In front of this text: kernels/lib/bank-rows.ts, AVERAGES.
struct Params {
  workgroups: u32, // rows
  first_row: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> g: array<V>;
@group(0) @binding(2) var<storage, read> table: array<vec4u>;
@group(0) @binding(3) var<storage, read_write> state: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> w: array<V>;
@group(0) @binding(5) var<storage, read_write> m: array<V>;
@group(0) @binding(6) var<storage, read_write> v: array<V>;
@group(0) @binding(7) var<storage, read_write> first_average: array<V>;
@group(0) @binding(8) var<storage, read_write> second_average: array<V>;

// With rest 1 (the first update) the average is w, and its old value is not looked at.
fn averaged(average: V, new_w: V, rest: f32) -> V {
  return select(average + rest * (new_w - average), new_w, rest == 1.0);
}

fn each_workgroup(index: u32, lid: u32) {
  let row = p.first_row + index;
  let about = table[row];
  let before = state[HEAD + row];
  let rates = state[0];
  let more = state[1];
  let rests = state[2];
  let moves = more.w != 0.0;
  let first = about.x / LANES;
  let count = about.y / LANES;
  var squares = V();
  var broken_own = 0.0;
  for (var turn = 0u; turn < MANY; turn++) {
    let k = lid + SIZE * turn;
    if (k >= count) {
      break;
    }
    let i = first + k;
    var new_w = w[i] * before.y;
    if (moves) {
      let raw = g[i];
      // The exponent's bits: comparisons with NaN may be optimised away.
      let broken = (bitcast<U>(raw) & U(0x7f800000u)) == U(0x7f800000u);
      let grad = select(raw, V(), broken);
      broken_own += added(select(V(), V(1.0), broken));
      let moment1 = rates.z * m[i] + rates.w * grad;
      let moment2 = more.x * v[i] + more.y * grad * grad;
      m[i] = moment1;
      v[i] = moment2;
      new_w -= rates.x * moment1 / (sqrt(moment2) * rates.y + more.z);
      if (AVERAGES > 0u) {
        first_average[i] = averaged(first_average[i], new_w, rests.x);
      }
      if (AVERAGES > 1u) {
        second_average[i] = averaged(second_average[i], new_w, rests.y);
      }
    }
    w[i] = new_w;
    squares += new_w * new_w;
  }
  let all = pair_sum(lid, vec2f(added(squares), broken_own));
  if (lid == 0u) {
    let low = before.z + all.y;
    let carry = floor(low / 1048576.0) * 1048576.0;
    let length = select(leading(w[first]), sqrt(all.x / f32(about.y)), about.w == 1u);
    state[HEAD + row] = vec4f(length, 1.0, low - carry, before.w + carry);
  }
}
