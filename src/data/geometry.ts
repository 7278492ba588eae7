import { extname } from "node:path";
import { openCheckpoint } from "../checkpoint/index.js";
import { bad, checkKeys } from "../errors.js";
import { readInput } from "./arrays.js";

/** A scanner's geometry as files have it: the options of `operators.tomography` without the picture's shape. Lengths in one unit. */
export interface Geometry {
  readonly geometry: "parallel" | "fan";
  /** Radians. */
  readonly angles: readonly number[];
  readonly detectors: number;
  readonly detectorSpacing?: number;
  readonly detectorOffset?: number;
  readonly pixelSize?: number;
  /** From the centre of rotation; for fans. */
  readonly sourceDistance?: number;
  readonly detectorDistance?: number;
  readonly projector?: "pixel" | "rotation";
}

const KNOWN = {
  geometry: true,
  angles: true,
  detectors: true,
  detectorSpacing: true,
  detectorOffset: true,
  pixelSize: true,
  sourceDistance: true,
  detectorDistance: true,
  projector: true,
} as const;
const NUMBERS = ["detectorSpacing", "detectorOffset", "pixelSize", "sourceDistance", "detectorDistance"] as const;

/**
 * A geometry from a JSON file, or from the metadata of a measurement.
 * @throws NcvsdError BAD_ARGUMENT for what is no geometry; the operator checks the rest
 */
export async function readGeometry(path: string, where: string): Promise<Geometry> {
  let text: string | undefined;
  if (extname(path).toLowerCase() === ".safetensors") {
    const file = await openCheckpoint(path);
    text = file.metadata.geometry;
    await file.close();
    if (text === undefined) throw bad(`${where} has no geometry in its metadata: name a JSON file`);
  } else text = new TextDecoder().decode(readInput(path));
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw bad(`${where} is not JSON: ${(cause as Error).message}`, cause);
  }
  return checkGeometry(value, where);
}

function checkGeometry(value: unknown, where: string): Geometry {
  const geometry = value as Geometry;
  checkKeys(where, geometry, KNOWN);
  if (geometry.geometry !== "parallel" && geometry.geometry !== "fan")
    throw bad(`${where}: geometry must be "parallel" or "fan"`);
  const { angles, detectors } = geometry;
  if (!Array.isArray(angles) || angles.length === 0 || !angles.every(Number.isFinite))
    throw bad(`${where}: angles must be a list of numbers (radians)`);
  if (!Number.isInteger(detectors) || detectors < 1) throw bad(`${where}: detectors must be a positive whole number`);
  for (const name of NUMBERS)
    if (geometry[name] !== undefined && !Number.isFinite(geometry[name]))
      throw bad(`${where}: ${name} must be a number`);
  return geometry;
}
