import { viewMeasure } from "../../kernels/operators/view-measure/kernel.js";
import { bad } from "../errors.js";
import type { Gpu } from "../gpu/device.js";
import type { Tensor } from "../graph/graph.js";
import type { ImageShape } from "../networks/session.js";
import { checkShape } from "./check.js";
import { fft2 } from "./fft.js";
import { type GpuOperator, gpuOperator } from "./gpu-operator.js";
import type { StageGraph } from "./stage-graph.js";
import { combineViews, overlap, takeViews, type Views } from "./views.js";

/** Amplitudes or intensities of complex views B u of an object u, all in the far field. */
interface PhaseGraphs {
  readonly name: string;
  readonly shape: ImageShape;
  /** Of the object, or of its centred spectrum. */
  readonly views: Views;
  /** Views of the spectrum, each transformed back; else views of the object, each transformed. */
  readonly spectrum: boolean;
  readonly intensity: boolean;
}

/** What x stands for. */
export function objectShape(
  name: string,
  { shape: given, object = "real" }: { readonly shape: readonly number[]; readonly object?: string | undefined },
) {
  const shape = checkShape(name, given);
  if (object !== "real" && object !== "complex")
    throw bad(`${name}: object must be "real" or "complex", got ${String(object)}.`);
  if (object === "complex" && shape[0] !== 2)
    throw bad(`${name}: a complex object has the shape [2, H, W] (real and imaginary part), got [${shape}].`);
  const complex = object === "complex";
  return { shape, as: complex ? "planes" : "object", channels: complex ? 1 : shape[0] } as const;
}

/**
 * y = |B u|, or |B u|^2. With b = (|a| - y) a / |a| (0 where a is 0), or 2 (|a|^2 - y) a, the gradient of |A(x) - y|^2 is
 * Re B'b of real objects u = (x + 1) / 2 and 2 Re B'b, 2 Im B'b of complex ones.
 */
export function phaseOperator(gpu: Gpu, graphs: PhaseGraphs): GpuOperator {
  const { name, shape, views, spectrum, intensity } = graphs;
  const { channels, height, width, rows, columns, positions } = views;
  const count = positions!.length / 2;
  const complex = views.as === "planes";
  const whole: Views = { as: views.as, channels, height, width, rows: height, columns: width };
  // Frequency 0 is in the middle of the spectrum that is looked at, and of each view of it.
  const seen: Views = spectrum
    ? {
        ...views,
        as: "spectrum",
        sourceRow: Math.ceil(height / 2),
        sourceColumn: Math.ceil(width / 2),
        viewRow: Math.floor(rows / 2),
        viewColumn: Math.floor(columns / 2),
      }
    : views;
  const factor = 1 / Math.sqrt(rows * columns * (spectrum ? height * width : 1));
  const viewSize = (s: StageGraph) => ({ planes: s.batch * count * channels, rows, columns });
  const objectSize = (s: StageGraph) => ({ planes: s.batch * channels, rows: height, columns: width });

  /** B u, but for the factor. */
  function waves(s: StageGraph): Tensor {
    if (!spectrum) return fft2(s, "fft", takeViews(s, "views", s.input("x"), seen), viewSize(s));
    const u = fft2(s, "fft", takeViews(s, "object", s.input("x"), whole), objectSize(s));
    return fft2(s, "view fft", takeViews(s, "views", u, seen), viewSize(s), true);
  }
  const measureParams = (s: StageGraph, residual: boolean) => {
    const elements = s.batch * count * channels * rows * columns;
    return { elements, factor, intensity, residual };
  };
  const measurementShape = [count, channels, rows, columns];
  // Of the amplitude's energy; with intensities there is no bound.
  const curvature = 2 * overlap(views) * (complex ? 1 : 1 / 4);
  return gpuOperator(gpu, {
    name,
    shape,
    measurementShape,
    ...(intensity ? {} : { curvature }),
    forward: (s) =>
      s.graph.run(
        "detector",
        viewMeasure,
        measureParams(s, false),
        { x: waves(s) },
        { y: s.out([s.batch, ...measurementShape]) },
      ).y,
    gradient(s) {
      const x = waves(s);
      const inputs = { x, measured: s.input("y") };
      const b = s.graph.run("residual", viewMeasure, measureParams(s, true), inputs, { y: x.shape }).y;
      const out = s.out([s.batch, ...shape]);
      const scale = { factor: factor * (complex ? 2 : 1) };
      const back = fft2(s, "fft'", b, viewSize(s), !spectrum);
      if (!spectrum) return combineViews(s, "views'", back, seen, out, scale);
      const u = combineViews(s, "views'", back, seen, [s.batch, channels, height, width, 2]);
      return combineViews(s, "object'", fft2(s, "object fft'", u, objectSize(s), true), whole, out, scale);
    },
  });
}
