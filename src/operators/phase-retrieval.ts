import { phaseAmplitude } from "../../kernels/operators/phase-amplitude/kernel.js";
import { phaseResidual } from "../../kernels/operators/phase-residual/kernel.js";
import { bad, checkKeys } from "../errors.js";
import type { Gpu } from "../gpu/device.js";
import { checkInteger, checkShape } from "./check.js";
import { type Frame, inverseRealFft2, realFft2 } from "./fft.js";
import { type GpuOperator, gpuOperator } from "./gpu-operator.js";
import type { StageGraph } from "./stage-graph.js";

export interface PhaseRetrievalOptions {
  /** C, H, W of one image. */
  readonly shape: readonly number[];
  /** Padding of floor(32 * oversample) pixels on every side, whatever the image size, as in the reference; default 4. */
  readonly oversample?: number;
  /** Padding in pixels on every side, in place of `oversample`. */
  readonly pad?: number;
}

/**
 * Phase retrieval: A(x) = |F P (x + 1) / 2| with zero padding P and the orthonormal, centred 2-D FFT F, per channel; the
 * measurement has the shape [C, H + 2 pad, W + 2 pad] with frequency 0 in the middle. Not linear: the energy's gradient is
 *
 *     crop Re F^-1((|a| - y) a / |a|),   0 where a = 0
 *
 * @throws NcvsdError BAD_ARGUMENT
 */
export function phaseRetrieval(gpu: Gpu, options: PhaseRetrievalOptions): GpuOperator {
  checkKeys("phaseRetrieval", options, { shape: true, oversample: true, pad: true });
  const shape = checkShape("phaseRetrieval", options.shape);
  const pad = paddingOf(options);
  const [channels, height, width] = shape;
  const [rows, columns] = [height + 2 * pad, width + 2 * pad];
  const measurementShape = [channels, rows, columns] as const;
  const orthonormal = 1 / Math.sqrt(rows * columns);
  const frameOf = (s: StageGraph): Frame => ({
    planes: s.batch * channels,
    height,
    width,
    rows,
    columns,
    top: pad,
    left: pad,
  });
  const params = (s: StageGraph) => ({ planes: s.batch * channels, rows, columns, factor: orthonormal });
  const spectrum = (s: StageGraph) => realFft2(s, "fft", s.input("x"), frameOf(s), { factor: 0.5, offset: 0.5 });

  return gpuOperator(gpu, {
    name: "phaseRetrieval",
    shape,
    measurementShape,
    // Transform of (x + 1) / 2, which is unitary.
    curvature: 0.5,
    forward: (s) =>
      s.graph.run(
        "amplitude",
        phaseAmplitude,
        params(s),
        { x: spectrum(s) },
        { y: s.out([s.batch, ...measurementShape]) },
      ).y,
    gradient(s) {
      const x = spectrum(s);
      const y = s.graph.run("residual", phaseResidual, params(s), { x, measured: s.input("y") }, { y: x.shape }).y;
      return inverseRealFft2(s, "inverse", y, frameOf(s), s.out([s.batch, ...shape]), orthonormal);
    },
  });
}

function paddingOf({ oversample, pad }: PhaseRetrievalOptions): number {
  if (pad !== undefined) {
    if (oversample !== undefined) throw bad("phaseRetrieval: give oversample or pad, but not both.");
    return checkInteger("phaseRetrieval", "pad", pad, 0);
  }
  const times = oversample ?? 4;
  if (typeof times !== "number" || !(times >= 0 && times <= 1024))
    throw bad(`phaseRetrieval: oversample must be from 0 to 1024, got ${times}.`);
  return Math.floor(32 * times);
}
