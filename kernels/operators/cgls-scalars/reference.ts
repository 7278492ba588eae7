import type { Inputs } from "../../../src/gpu/contract.js";

export interface CglsScalarsParams {
  readonly images: number;
  /** What the sums are of: the first gradient; q and p; a later gradient. */
  readonly part: "start" | "curvature" | "gradient";
  /** Pieces of the first sum. */
  readonly count: number;
  /** Pieces of the second, that of |p|^2; 0: there is none. */
  readonly others: number;
  /** Squared tolerance times the numbers of a picture. */
  readonly limit: number;
}

/** Numbers of one image. */
const STATE = 16;

export function reference(p: CglsScalarsParams, { first, second, level, state: before }: Inputs) {
  const [s, t] = [level![0]!, level![0]! / level![1]!];
  const state = Float64Array.from({ length: STATE * p.images }, (_, i) => (p.part === "start" ? 0 : before![i]!));
  for (let image = 0; image < p.images; image++) {
    const own = state.subarray(STATE * image, STATE * (image + 1));
    let sum = 0;
    for (let i = 0; i < p.count; i++) sum += first![image * p.count + i]!;
    for (let i = 0; i < p.others; i++) sum += t * t * second![image * p.others + i]!;
    if (p.part === "start") {
      own.set([sum, 0, 0, sum > 0 ? 0 : 1]);
    } else if (p.part === "curvature") {
      const live = own[3] === 0 && sum > 0;
      own[1] = live ? own[0]! / sum : 0;
      if (live) {
        const lowered = (own[1]! * own[0]!) / s ** 2;
        own[6 + (own[4]! % 10)] = lowered;
        own[5]! += lowered;
        own[4]! += 1;
      } else own[3] = 1;
    } else {
      const ten = own.subarray(6).reduce((a, b) => a + b, 0);
      const [last, second, third] = [9, 8, 7].map((back) => own[6 + ((own[4]! + back) % 10)]!);
      const nothing = own[4]! >= 3 && last! + second! + third! < 1e-14 * own[5]!;
      const stop = own[3] !== 0 || !(sum > 0) || !(ten >= p.limit) || last! < 1e-4 * p.limit || nothing;
      own[2] = stop ? 0 : sum / own[0]!;
      own[0] = sum;
      own[3] = stop ? 1 : 0;
    }
  }
  return { state };
}
