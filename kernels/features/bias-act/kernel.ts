import type { Case } from "../../../src/gpu/contract.js";
import { read, write } from "../../lib/buffers.js";
import { oneOf } from "../../lib/check.js";
import { elementwise } from "../../lib/elementwise.js";
import exp from "../../lib/exp.wgsl.js";
import { lanesOf } from "../../lib/lanes.js";
import source from "./kernel.wgsl.js";
import { type BiasActParams, reference } from "./reference.js";

const ACTIVATIONS = ["none", "relu", "gelu"] as const;

/** y [N, C, P] = r + act(x + b), b [C]. */
export const biasAct = elementwise<BiasActParams>({
  name: "bias-act",
  group: "features",
  source,
  parts: [{ file: "kernels/lib/exp.wgsl", text: exp }],
  counts: ({ images, channels, columns }) => ({ images, channels, columns }),
  check({ activation }) {
    oneOf("bias-act", "activation", activation, ACTIVATIONS);
  },
  buffers: ({ channels, residual }, n) => [
    read("x", n),
    read("b", channels),
    read("r", residual ? n : 0),
    write("y", n),
  ],
  lanes: ({ columns }) => ({ rows: [columns], storage: "f32" }),
  flags: ({ activation, residual }) => ({
    RELU: activation === "relu",
    GELU: activation === "gelu",
    RESIDUAL: residual,
  }),
  prelude: ({ columns }) =>
    lanesOf(columns) === 4
      ? "fn activated(v: F) -> F {\n  return F(activate(v.x), activate(v.y), activate(v.z), activate(v.w));\n}"
      : "fn activated(v: F) -> F {\n  return activate(v);\n}",
  uniforms: ({ columns }) => ({ span: columns / lanesOf(columns) }),
  flops: ({ activation, residual }, n) => n * (1 + (residual ? 1 : 0) + (activation === "gelu" ? 30 : 1)),
  reference,
  cases: cases(),
  tolerance: { f32: 5e-7, f16: 5e-7 },
});

function cases(): Case<BiasActParams>[] {
  const base: BiasActParams = { images: 2, channels: 7, columns: 13, activation: "none", residual: false };
  const over = (low: number, high: number) => (name: string, length: number) =>
    name === "b"
      ? new Float32Array(length)
      : name === "x"
        ? Float32Array.from({ length }, (_, i) => low + ((high - low) * i) / Math.max(1, length - 1))
        : undefined;
  return [
    { name: "one value", params: { images: 1, channels: 1, columns: 1, activation: "gelu", residual: false } },
    { name: "bias alone", params: base },
    { name: "relu", params: { ...base, activation: "relu" } },
    { name: "relu, residual", params: { ...base, activation: "relu", residual: true } },
    { name: "gelu, residual", params: { ...base, activation: "gelu", residual: true } },
    {
      name: "gelu from -6 to 6",
      params: { ...base, images: 1, channels: 1, columns: 2001, activation: "gelu" },
      inputs: over(-6, 6),
    },
    { name: "gelu's tails", params: { ...base, columns: 200, activation: "gelu" }, inputs: over(-40, -5) },
    {
      name: "gelu of large values",
      params: { ...base, columns: 200, activation: "gelu" },
      inputs: over(-1e20, 1e20),
    },
    {
      name: "NaN and infinities pass",
      params: { ...base, activation: "gelu" },
      inputs: (name, length, random) =>
        name === "x"
          ? Float32Array.from({ length }, (_, i) => [Number.NaN, Infinity, -Infinity][i] ?? random())
          : undefined,
    },
    {
      name: "an MLP's layer",
      params: { images: 1, channels: 1024, columns: 260, activation: "gelu", residual: false },
    },
  ];
}
