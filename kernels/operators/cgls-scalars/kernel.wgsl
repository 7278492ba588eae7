// The numbers of conjugate gradients on |A e - d|^2 + t^2 |e|^2, t = s / rho, one set per image: state [images, 16] =
//
//   0: c = |g|^2    1: al = c / (|q|^2 + t^2 |p|^2)    2: ratio = c' / c    3: 1 when finished    4: steps
//   6 ... 15: by how much each of the last ten steps lowered the squared distance to the solution, in posterior deviations:
//             al c / s^2 (zeros in the beginning)    5: the same of all steps
//
// from sums of squares in pieces, `first` [images, count] and `second` [images, others]. PART 0: c of the first gradient, and all
// else afresh; 1: al, of |q|^2 and |p|^2; 2: c', ratio, and whether to stop: the last ten together below `limit`, or the last
// one below 1e-4 of it, or the last three together below what single precision can tell of the way gone (1e-14 of all), or nothing
// left. A finished image has al = 0 from then on: in single precision further steps would lead away from the solution.
//
// One workgroup per image, sums in a fixed order (kernels/lib/pair-sum.wgsl).
struct Params {
  workgroups: u32, // images
  count: u32,
  others: u32,
  limit: f32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> first: array<f32>;
@group(0) @binding(2) var<storage, read> second: array<f32>;
@group(0) @binding(3) var<storage, read> level: array<f32>;
@group(0) @binding(4) var<storage, read_write> state: array<f32>;

fn each_workgroup(image: u32, lid: u32) {
  let at = 16u * image;
  var own = 0.0;
  for (var turn = 0u; turn < MANY; turn++) {
    let i = lid + SIZE * turn;
    if (i >= p.count) {
      break;
    }
    own += first[image * p.count + i];
  }
  if (PART == 1) {
    let t = level[0] / level[1];
    for (var turn = 0u; turn < MANY; turn++) {
      let i = lid + SIZE * turn;
      if (i >= p.others) {
        break;
      }
      own += t * t * second[image * p.others + i];
    }
  }
  let sum = pair_sum(lid, own);
  if (lid != 0u) {
    return;
  }
  if (PART == 0) {
    for (var i = 0u; i < 16u; i++) {
      state[at + i] = 0.0;
    }
    state[at] = sum;
    state[at + 3u] = select(1.0, 0.0, sum > 0.0);
  } else if (PART == 1) {
    let live = state[at + 3u] == 0.0 && sum > 0.0;
    let al = select(0.0, state[at] / sum, live);
    state[at + 1u] = al;
    if (live) {
      let steps = u32(state[at + 4u]);
      let lowered = al * state[at] / (level[0] * level[0]);
      state[at + 6u + steps % 10u] = lowered;
      state[at + 5u] += lowered;
      state[at + 4u] = f32(steps + 1u);
    } else {
      state[at + 3u] = 1.0;
    }
  } else {
    var ten = 0.0;
    for (var i = 6u; i < 16u; i++) {
      ten += state[at + i];
    }
    let steps = u32(state[at + 4u]);
    let last = state[at + 6u + (steps + 9u) % 10u];
    // One short step may stand before long ones.
    let three = last + state[at + 6u + (steps + 8u) % 10u] + state[at + 6u + (steps + 7u) % 10u];
    let least = last < 1e-4 * p.limit || (steps >= 3u && three < 1e-14 * state[at + 5u]);
    let stop = state[at + 3u] != 0.0 || !(sum > 0.0) || !(ten >= p.limit) || least;
    state[at + 2u] = select(sum / state[at], 0.0, stop);
    state[at] = sum;
    state[at + 3u] = select(0.0, 1.0, stop);
  }
}
