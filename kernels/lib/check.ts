import { NcvsdError } from "../../src/errors.js";

/** Indices are u32 in WGSL; a buffer or a thread count past this wraps around. */
const MAX_ELEMENTS = 2 ** 32 - 1;

/** Throws `BAD_ARGUMENT`: `kernel <kernel>: <rule>, got <value>.` */
export function fail(kernel: string, rule: string, value?: unknown): never {
  const got = value === undefined ? "" : `, got ${show(value)}`;
  throw new NcvsdError("BAD_ARGUMENT", `kernel ${kernel}: ${rule}${got}.`);
}

export function positiveInteger(kernel: string, name: string, value: number): void {
  if (!Number.isSafeInteger(value) || value < 1) fail(kernel, `${name} must be a positive integer`, value);
}

export function nonNegativeInteger(kernel: string, name: string, value: number): void {
  if (!Number.isSafeInteger(value) || value < 0) fail(kernel, `${name} must be an integer of at least 0`, value);
}

export function finiteNumber(kernel: string, name: string, value: number): void {
  if (typeof value !== "number" || !Number.isFinite(value)) fail(kernel, `${name} must be a finite number`, value);
}

export function positiveNumber(kernel: string, name: string, value: number): void {
  if (typeof value !== "number" || !Number.isFinite(value) || value <= 0) {
    fail(kernel, `${name} must be a positive finite number`, value);
  }
}

/** `low <= value <= high`. */
export function inRange(kernel: string, name: string, value: number, low: number, high: number): void {
  if (!(typeof value === "number" && value >= low && value <= high)) {
    fail(kernel, `${name} must be between ${low} and ${high}`, value);
  }
}

export function multipleOf(kernel: string, name: string, value: number, factor: number): void {
  if (value % factor !== 0) fail(kernel, `${name} must be a multiple of ${factor}`, value);
}

export function oneOf<T>(kernel: string, name: string, value: T, allowed: readonly T[]): void {
  if (!allowed.includes(value)) fail(kernel, `${name} must be one of ${allowed.map(show).join(", ")}`, value);
}

/** The product of positive integers `factors` (the shape of tensor `name`) must be addressable with u32 indices. */
export function addressable(kernel: string, name: string, ...factors: readonly number[]): void {
  const elements = factors.reduce((a, b) => a * b, 1);
  if (elements > MAX_ELEMENTS) {
    fail(kernel, `${name} [${factors.join(", ")}] must have fewer than 2^32 elements`, elements);
  }
}

function show(value: unknown): string {
  return typeof value === "string" ? JSON.stringify(value) : String(value);
}
