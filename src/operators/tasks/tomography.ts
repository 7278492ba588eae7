import { operators } from "../operators.js";
import { filteredBackProjection, tikhonov } from "../simple.js";
import { CG_FLAGS, conjugate, OWN_PRESET, scaled } from "./common.js";
import { type GeometryFile, task } from "./task.js";

const SIGMA = 0.2;

/** Computed tomography: projections of parallel or fan rays. */
export const tomography = task({
  preset: { ...OWN_PRESET, sigmaY: SIGMA, beta: 2 * SIGMA ** 2 },
  baselines: tikhonov,
  scale: "linear",
  flags: {
    geometry: {
      option: "--geometry <file>",
      help: "tomography: JSON with geometry, angles (radians), detectors, detectorSpacing, …; or a measurement that has it",
      value: { file: "geometry" },
      excludes: ["angles", "detectors", "fan"],
    },
    angles: {
      option: "--angles <n>",
      help: "tomography: so many, evenly over a half turn, of a fan a whole one (default: 20)",
      value: { integer: { min: 1, max: 100000 } },
    },
    detectors: {
      option: "--detectors <n>",
      help: "tomography: bins (default: enough for the whole picture)",
      value: { integer: { min: 1, max: 100000 } },
    },
    fan: {
      option: "--fan <rs,rd>",
      help: "tomography: a fan; distances of source and detector from the centre, in pixels",
      value: { numbers: { count: 2 } },
    },
    ...CG_FLAGS,
  },
  make(gpu, shape, options) {
    const { solver, record } = conjugate(options);
    const geometry = options.geometry?.geometry ?? evenly(shape, options);
    const operator = operators.tomography(gpu, { shape, ...geometry, ...solver });
    const [channels, angles, detectors] = operator.measurementShape as [number, number, number];
    const { detectorSpacing = 1, pixelSize = 1, projector } = geometry;
    const simple = geometry.geometry === "parallel" && projector !== "rotation";
    return {
      operator,
      ...(simple ? { baselines: filteredBackProjection(detectorSpacing, pixelSize) } : {}),
      show: (y) => scaled(y, [channels, angles, detectors]),
      description: `${angles} projections of ${detectors} ${geometry.geometry} rays`,
      options: {
        ...(options.geometry ? { geometry: options.geometry.sha256 } : { angles, detectors }),
        ...(options.fan ? { fan: options.fan } : {}),
        ...record,
      },
    };
  },
});

/** Angles evenly, pixels of size 1, and rays one pixel apart in the middle. */
function evenly(
  [, h, w]: readonly [number, number, number],
  {
    angles = 20,
    detectors,
    fan,
  }: { readonly angles?: number; readonly detectors?: number; readonly fan?: readonly number[] },
): GeometryFile["geometry"] {
  const radius = Math.hypot(h, w) / 2;
  const turn = (fan ? 2 : 1) * Math.PI;
  const list = Array.from({ length: angles }, (_, i) => (turn * i) / angles);
  if (!fan) return { geometry: "parallel", angles: list, detectors: detectors ?? 2 * Math.ceil(radius) + 1 };
  const [sourceDistance, detectorDistance] = fan as readonly [number, number];
  const magnified = (sourceDistance + detectorDistance) / sourceDistance;
  // The ray that touches the picture's circle.
  const reach = (radius * sourceDistance) / Math.sqrt(Math.max(1, sourceDistance ** 2 - radius ** 2));
  return {
    ...{ geometry: "fan", angles: list, detectors: detectors ?? 2 * Math.ceil(reach) + 1 },
    ...{ detectorSpacing: magnified, sourceDistance, detectorDistance },
  };
}
