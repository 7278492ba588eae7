/** The gradient of DISCO's loss in float64, point by point: mean of w mean over coordinates of (grad phi - target)^2, phi = |z|^2. */
import { discoConfig } from "../network/disco.mjs";

const { dim, width, blocks, embed, negative_slope: slope, norm_eps: eps } = discoConfig;
const half = embed / 2;
const omega = Array.from({ length: half }, (_, j) => 10_000 ** (-j / (half - 1)));
const mean = (a, b) => a.reduce((sum, v, i) => sum + v * (b ? b[i] : 1), 0) / a.length;
const zip = (a, of) => Float64Array.from(a, of);

/** @returns gradients of all parameters, one after the other in the order of `shapes` */
export function discoGradient({ shapes, tensors, different: { x, target, weight } }) {
  const p = new Map([...tensors].map(([name, values]) => [name, Float64Array.from(values)]));
  const grad = new Map([...p].map(([name, values]) => [name, new Float64Array(values.length)]));
  const rows = weight.length;
  const times = (layer, v, bias = true) => {
    const [w, b] = [p.get(`${layer}.weight`), p.get(`${layer}.bias`)];
    return zip(b, (own, o) => {
      let sum = bias ? own : 0;
      for (let i = 0; i < v.length; i++) sum += w[o * v.length + i] * v[i];
      return sum;
    });
  };
  const transposed = (layer, g, length) => {
    const w = p.get(`${layer}.weight`);
    const out = new Float64Array(length);
    for (let o = 0; o < g.length; o++) for (let i = 0; i < length; i++) out[i] += w[o * length + i] * g[o];
    return out;
  };
  const outer = (layer, g, v) => {
    const own = grad.get(`${layer}.weight`);
    for (let o = 0; o < g.length; o++) for (let i = 0; i < v.length; i++) own[o * v.length + i] += g[o] * v[i];
  };
  const units = Array.from({ length: blocks }, (_, b) =>
    [0, 1].map((k) => ({ norm: `blocks.${b}.norm${k}`, layer: `blocks.${b}.fc${k}` })),
  );
  units.push([{ norm: "out_norm", layer: "out" }]);

  /** h -> v, with what derivatives need. */
  const forward = ({ norm, layer }, h) => {
    const m = mean(h);
    const centred = h.map((v) => v - m);
    const s = Math.sqrt(mean(centred, centred) + eps);
    const n = centred.map((v) => v / s);
    const [alpha, gamma, beta] = ["alpha", "gamma", "beta"].map((part) => p.get(`${norm}.${part}`));
    const a = zip(alpha, (v, c) => v * gamma[c]);
    const y = zip(a, (v, c) => v * n[c] + beta[c]);
    const mask = y.map((v) => (v >= 0 ? 1 : slope));
    const pull = (t) => {
      const [one, along] = [mean(t), mean(n, t)];
      return zip(t, (v, c) => (v - one - n[c] * along) / s);
    };
    return { norm, layer, n, s, a, mask, pull, alpha, gamma, v: zip(y, (v, c) => v * mask[c]) };
  };
  for (let row = 0; row < rows; row++) {
    const point = Array.from(x.subarray(dim * row, dim * (row + 1)));
    const features = Float64Array.from(
      point.flatMap((v) => [...omega.map((w) => Math.sin(w * v)), ...omega.map((w) => Math.cos(w * v))]),
    );
    const slopes = Float64Array.from(
      point.flatMap((v) => [...omega.map((w) => w * Math.cos(w * v)), ...omega.map((w) => -w * Math.sin(w * v))]),
    );
    const twice = (u) => Float64Array.from([...u, ...u]);
    // Forward.
    let h = twice(times("in", features));
    const tape = units.map((pair) => {
      let value = h;
      const made = pair.map((unit) => {
        const own = forward(unit, value);
        value = times(unit.layer, own.v);
        return own;
      });
      if (pair.length === 2) h = zip(h, (v, c) => v + value[c]);
      return { made, value };
    });
    const z = tape.at(-1).value;
    // First backward: grad phi.
    const back = (seed, step) => {
      let [g, stream] = [seed, undefined];
      for (const { made } of [...tape].reverse()) {
        let through = stream ?? g;
        for (const unit of [...made].reverse()) through = step(unit, through);
        stream = stream ? zip(stream, (v, c) => v + through[c]) : through;
        g = stream;
      }
      return zip({ length: width / 2 }, (_, c) => stream[c] + stream[c + width / 2]);
    };
    const first = back(
      z.map((v) => 2 * v),
      (unit, g) => {
        unit.out = g;
        unit.pv = transposed(unit.layer, g, width);
        unit.pn = zip(unit.pv, (v, c) => unit.a[c] * unit.mask[c] * v);
        return unit.pull(unit.pn);
      },
    );
    const byFeature = transposed("in", first, dim * embed);
    const r = point.map((_, d) => {
      let o = 0;
      for (let j = d * embed; j < (d + 1) * embed; j++) o += byFeature[j] * slopes[j];
      return (2 * weight[row] * (o - target[dim * row + d])) / (rows * dim);
    });
    // Tangent along r.
    const moved = slopes.map((v, j) => v * r[Math.floor(j / embed)]);
    let hd = twice(times("in", moved, false));
    let zd;
    for (const { made } of tape) {
      let value = hd;
      for (const unit of made) {
        unit.hd = value;
        unit.nd = unit.pull(value);
        unit.vd = zip(unit.nd, (v, c) => unit.mask[c] * unit.a[c] * v);
        value = times(unit.layer, unit.vd, false);
      }
      if (made.length === 2) hd = zip(hd, (v, c) => v + value[c]);
      else zd = value;
    }
    // Second backward, which has all gradients.
    const add = (name, values) => {
      const own = grad.get(name);
      for (let i = 0; i < own.length; i++) own[i] += values[i];
    };
    const second = back(
      zd.map((v) => 2 * v),
      (unit, g) => {
        const { norm, layer, n, s, a, mask, alpha, gamma, pv, pn, hd: change, nd } = unit;
        outer(layer, g, unit.v);
        outer(layer, unit.out, unit.vd);
        add(`${layer}.bias`, g);
        const qy = transposed(layer, g, width).map((v, c) => mask[c] * v);
        const both = qy.map((v, c) => v * n[c] + mask[c] * pv[c] * nd[c]);
        add(`${norm}.beta`, qy);
        add(
          `${norm}.gamma`,
          both.map((v, c) => v * alpha[c]),
        );
        add(
          `${norm}.alpha`,
          both.map((v, c) => v * gamma[c]),
        );
        const [nh, np] = [mean(n, change), mean(n, pn)];
        const psi = (mean(pn, change) - mean(pn) * mean(change) - np * nh) / s;
        const inner = zip(qy, (v, c) => a[c] * v - (nh * pn[c] + np * change[c]) / s);
        return unit.pull(inner).map((v, c) => v - (psi / s) * n[c]);
      },
    );
    outer("in", second, features);
    outer("in", first, moved);
    add("in.bias", second);
  }
  return Float64Array.from([...shapes.keys()].flatMap((name) => [...grad.get(name)]));
}
