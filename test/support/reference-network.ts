/**
 * The networks in float64 by plain loops, written from the formulae of the papers and independent of src/ and kernels/
 * (only the list of blocks is shared). One image at a time; slow; for small configs.
 */
import type { NcvsdConfig, NetworkConfig } from "../../src/networks/edm2/arguments.js";
import { blockPlan, type DecoderBlock, type EncoderBlock } from "../../src/networks/edm2/names.js";

export interface Img {
  readonly c: number;
  readonly h: number;
  readonly w: number;
  readonly v: Float64Array;
}

export type Weights = (name: string) => ArrayLike<number>;

const img = (c: number, h: number, w: number, v = new Float64Array(c * h * w)): Img => ({ c, h, w, v });
const silu = (x: number) => x / (1 + Math.exp(-x)) / 0.596;
const rms = (values: ArrayLike<number>) => Math.sqrt(Array.from(values).reduce((s, x) => s + x * x, 0) / values.length);

function normalisedRows(w: ArrayLike<number>, rows: number, gain: number): Float64Array {
  const out = Float64Array.from(w);
  const n = out.length / rows;
  for (let r = 0; r < rows; r++) {
    const row = out.subarray(r * n, (r + 1) * n);
    const scale = gain / ((1e-4 + rms(row)) * Math.sqrt(n));
    row.forEach((x, i) => {
      row[i] = x * scale;
    });
  }
  return out;
}

function conv(x: Img, raw: ArrayLike<number>, out: number, k: 1 | 3, gain = 1): Img {
  const w = normalisedRows(raw, out, gain);
  const y = img(out, x.h, x.w);
  const half = k >> 1;
  for (let o = 0; o < out; o++)
    for (let r = 0; r < x.h; r++)
      for (let q = 0; q < x.w; q++) {
        let sum = 0;
        for (let i = 0; i < x.c; i++)
          for (let a = 0; a < k; a++)
            for (let b = 0; b < k; b++) {
              const yy = r + a - half;
              const xx = q + b - half;
              if (yy < 0 || yy >= x.h || xx < 0 || xx >= x.w) continue;
              sum += w[((o * x.c + i) * k + a) * k + b]! * x.v[(i * x.h + yy) * x.w + xx]!;
            }
        y.v[(o * x.h + r) * x.w + q] = sum;
      }
  return y;
}

function linear(x: ArrayLike<number>, raw: ArrayLike<number>, out: number, gain = 1): Float64Array {
  const w = normalisedRows(raw, out, gain);
  return Float64Array.from({ length: out }, (_, o) => {
    let sum = 0;
    for (let i = 0; i < x.length; i++) sum += w[o * x.length + i]! * x[i]!;
    return sum;
  });
}

function mpSum(a: Float64Array, b: Float64Array, t: number): Float64Array {
  return a.map((x, i) => ((1 - t) * x + t * b[i]!) / Math.sqrt((1 - t) ** 2 + t ** 2));
}

function mpCat(a: Img, b: Img, t: number): Img {
  const c = Math.sqrt((a.c + b.c) / ((1 - t) ** 2 + t ** 2));
  const first = a.v.map((x) => (x * c * (1 - t)) / Math.sqrt(a.c));
  const second = b.v.map((x) => (x * c * t) / Math.sqrt(b.c));
  return img(a.c + b.c, a.h, a.w, Float64Array.from([...first, ...second]));
}

function pixelNorm(x: Img): Img {
  const y = img(x.c, x.h, x.w);
  const n = x.h * x.w;
  for (let p = 0; p < n; p++) {
    const norm = 1e-4 + rms(Float64Array.from({ length: x.c }, (_, c) => x.v[c * n + p]!));
    for (let c = 0; c < x.c; c++) y.v[c * n + p] = x.v[c * n + p]! / norm;
  }
  return y;
}

function resample(x: Img, filter: readonly number[], mode: "up" | "down"): Img {
  const sum = filter.reduce((a, b) => a + b, 0);
  const f = filter.map((v) => v / sum);
  const pad = f.length / 2 - 1;
  const up = mode === "up";
  const y = img(x.c, up ? 2 * x.h : x.h >> 1, up ? 2 * x.w : x.w >> 1);
  const weight = (q: number, i: number) => (up ? 2 * (f[q + pad - 2 * i] ?? 0) : (f[i - 2 * q + pad] ?? 0));
  for (let c = 0; c < x.c; c++)
    for (let r = 0; r < y.h; r++)
      for (let q = 0; q < y.w; q++) {
        let value = 0;
        for (let i = 0; i < x.h; i++)
          for (let j = 0; j < x.w; j++) value += weight(r, i) * weight(q, j) * x.v[(c * x.h + i) * x.w + j]!;
        y.v[(c * y.h + r) * y.w + q] = value;
      }
  return y;
}

function attend(qkv: Img, heads: number): Img {
  const channels = qkv.c / 3;
  const d = channels / heads;
  const n = qkv.h * qkv.w;
  const y = img(channels, qkv.h, qkv.w);
  for (let head = 0; head < heads; head++) {
    const part = (s: number) =>
      Array.from({ length: n }, (_, p) => {
        const v = Float64Array.from({ length: d }, (_, c) => qkv.v[((head * d + c) * 3 + s) * n + p]!);
        const norm = 1e-4 + rms(v);
        return v.map((x) => x / norm);
      });
    const [q, k, v] = [part(0), part(1), part(2)] as const;
    for (let p = 0; p < n; p++) {
      const logits = k.map((key) => key.reduce((s, x, c) => s + x * q[p]![c]!, 0) / Math.sqrt(d));
      const most = Math.max(...logits);
      const weights = logits.map((l) => Math.exp(l - most));
      const total = weights.reduce((a, b) => a + b, 0);
      for (let c = 0; c < d; c++) {
        y.v[(head * d + c) * n + p] = weights.reduce((s, weight, key) => s + weight * v[key]![c]!, 0) / total;
      }
    }
  }
  return y;
}

function block(
  cfg: NetworkConfig,
  w: Weights,
  key: string,
  b: EncoderBlock | DecoderBlock,
  input: Img,
  emb: Float64Array,
): Img {
  let x = b.mode === "keep" ? input : resample(input, cfg.resample_filter, b.mode);
  const out = b.outChannels;
  const skip = () => (x.c === out ? x : conv(x, w(`${key}.conv_skip.weight`), out, 1));
  if (b.kind === "enc") x = pixelNorm(skip());
  let y = conv({ ...x, v: x.v.map(silu) }, w(`${key}.conv_res0.weight`), out, 3);
  const c = linear(emb, w(`${key}.emb_linear.weight`), out, w(`${key}.emb_gain`)[0]!).map((v) => v + 1);
  const n = y.h * y.w;
  y = conv({ ...y, v: y.v.map((v, i) => silu(v * c[Math.floor(i / n)]!)) }, w(`${key}.conv_res1.weight`), out, 3);
  if (b.kind === "dec") x = skip();
  x = { ...y, v: mpSum(x.v, y.v, cfg.res_balance) };
  if (b.heads > 0) {
    const values = attend(conv(x, w(`${key}.attn_qkv.weight`), 3 * out, 1), b.heads);
    x = { ...x, v: mpSum(x.v, conv(values, w(`${key}.attn_proj.weight`), out, 1).v, cfg.attn_balance) };
  }
  const clip = cfg.clip_act ?? Number.POSITIVE_INFINITY;
  return { ...x, v: x.v.map((v) => Math.min(clip, Math.max(-clip, v))) };
}

function fourier(w: Weights, prefix: string, sigma: number): Float64Array {
  const v = Math.log(sigma) / 4;
  const phases = w(`${prefix}.phases`);
  return Float64Array.from(w(`${prefix}.freqs`), (f, i) => Math.SQRT2 * Math.cos(v * f + phases[i]!));
}

function embedding(
  cfg: NetworkConfig,
  w: Weights,
  prefix: string,
  sigma: number,
  labels: ArrayLike<number>,
): Float64Array {
  const { embChannels } = blockPlan(cfg);
  let e = linear(fourier(w, `${prefix}emb_fourier`, sigma), w(`${prefix}emb_noise.weight`), embChannels);
  if (cfg.label_dim > 0) {
    const scaled = Array.from(labels, (l) => l * Math.sqrt(cfg.label_dim));
    e = mpSum(e, linear(scaled, w(`${prefix}emb_label.weight`), embChannels), cfg.label_balance);
  }
  return e.map(silu);
}

function encoder(
  cfg: NetworkConfig,
  w: Weights,
  prefix: string,
  image: ArrayLike<number>,
  sigma: number,
  labels: ArrayLike<number>,
): Img[] {
  const side = cfg.img_resolution;
  const cIn = 1 / Math.sqrt(cfg.sigma_data ** 2 + sigma ** 2);
  let x = img(
    cfg.img_channels + 1,
    side,
    side,
    Float64Array.from([...Array.from(image, (v) => v * cIn), ...new Float64Array(side * side).fill(1)]),
  );
  const emb = embedding(cfg, w, prefix, sigma, labels);
  return blockPlan(cfg).encoder.map((b) => {
    const key = `${prefix}enc.${b.name}`;
    x = b.kind === "conv" ? conv(x, w(`${key}.weight`), b.outChannels, 3) : block(cfg, w, key, b, x, emb);
    return x;
  });
}

function decoder(
  cfg: NetworkConfig,
  w: Weights,
  prefix: string,
  h: Img,
  skips: readonly Img[],
  sigma: number,
  labels: ArrayLike<number>,
): Img {
  const emb = embedding(cfg, w, prefix, sigma, labels);
  let x = h;
  for (const b of blockPlan(cfg).decoder) {
    if (b.takesSkip) x = mpCat(x, skips[b.skipIndex]!, cfg.concat_balance);
    x = block(cfg, w, `${prefix}dec.${b.name}`, b, x, emb);
  }
  return conv(x, w(`${prefix}out_conv.weight`), cfg.img_channels, 3, w(`${prefix}out_gain`)[0]!);
}

function precondition(cfg: NetworkConfig, x: ArrayLike<number>, f: Img, sigma: number): Float64Array {
  const q = sigma ** 2 + cfg.sigma_data ** 2;
  return f.v.map((v, i) => (cfg.sigma_data ** 2 / q) * x[i]! + ((sigma * cfg.sigma_data) / Math.sqrt(q)) * v);
}

/** F and D of one image of an EDM2 network. */
export function referenceTeacher(
  cfg: NetworkConfig,
  w: Weights,
  x: ArrayLike<number>,
  sigma: number,
  labels: ArrayLike<number>,
) {
  const outputs = encoder(cfg, w, "unet.", x, sigma, labels);
  const f = decoder(cfg, w, "unet.", outputs.at(-1)!, outputs, sigma, labels);
  return { f: f.v, d: precondition(cfg, x, f, sigma) };
}

/** F and D of one image of an NCVSD network. */
export function referenceNcvsd(
  cfg: NcvsdConfig,
  w: Weights,
  x: ArrayLike<number>,
  sigma: number,
  condX: ArrayLike<number>,
  condSigma: number,
  labels: ArrayLike<number>,
) {
  const clip = (t: number) => Math.min(1, Math.max(0, t));
  const controls = encoder(cfg, w, "ctrl.", condX, condSigma, labels);
  const outputs = encoder(cfg, w, "enc.", x, sigma, labels);
  const weights = w("dec.additional_skips_weight");
  const skips = outputs.map((e, i) => ({ ...e, v: mpSum(e.v, controls[i]!.v, clip(weights[i]!)) }));
  const last = outputs.at(-1)!;
  const h = { ...last, v: mpSum(last.v, controls.at(-1)!.v, clip(w("dec.additional_x_weight")[0]!)) };
  const f = decoder(cfg, w, "dec.", h, skips, sigma, labels);
  return { f: f.v, d: precondition(cfg, x, f, sigma) };
}
