import { bad } from "../errors.js";
import type { ImageShape } from "../networks/session.js";

/** C, H, W: three positive integers. */
export function checkShape(operator: string, shape: unknown): ImageShape {
  const list = Array.isArray(shape) ? (shape as unknown[]) : [];
  if (list.length !== 3 || !list.every((n) => Number.isInteger(n) && (n as number) > 0)) {
    throw bad(`${operator}: shape must be [C, H, W] of positive integers, got ${JSON.stringify(shape)}.`);
  }
  return [list[0], list[1], list[2]] as unknown as ImageShape;
}

export function checkInteger(operator: string, name: string, value: unknown, least: number): number {
  if (!Number.isInteger(value) || (value as number) < least)
    throw bad(`${operator}: ${name} must be an integer of at least ${least}, got ${String(value)}.`);
  return value as number;
}

export function checkPositive(operator: string, name: string, value: unknown): number {
  const v = Math.fround(value as number);
  if (typeof value !== "number" || !(v > 0 && Number.isFinite(v))) {
    throw bad(`${operator}: ${name} must be a positive finite number, got ${String(value)}.`);
  }
  return value;
}

export function checkFinite(operator: string, name: string, values: ArrayLike<number>): void {
  for (let i = 0; i < values.length; i++) {
    if (!Number.isFinite(values[i]))
      throw bad(`${operator}: ${name} holds ${values[i]} at index ${i}: every value must be finite.`);
  }
}

/** Number of items of `one` values in a flat array. */
export function countOf(what: string, values: Float32Array, one: number, shape: readonly number[]): number {
  if (!(values instanceof Float32Array)) throw bad(`${what} must be a Float32Array.`);
  if (values.length === 0 || values.length % one !== 0) {
    throw bad(
      `${what} has ${values.length} values, which is no multiple of ${shape.join(" x ")} = ${one} of one image.`,
    );
  }
  return values.length / one;
}

export function volume(shape: readonly number[]): number {
  return shape.reduce((a, b) => a * b, 1);
}
