/** What the visitor has chosen, and how it stands in the address. */
import { effect, type Signal, signal } from "@preact/signals";
import { type Degradation, PIXELS, SIDE, type TaskName } from "./engine/protocol.js";

/** The picture on the desk. */
export type Subject =
  | { readonly kind: "held-out"; readonly index: number }
  | { readonly kind: "own"; readonly values: Float32Array };

/** What is hidden at the beginning: everything below the upper third. */
export const firstMask = () => Uint8Array.from({ length: PIXELS }, (_, i) => (Math.floor(i / SIDE) < 13 ? 1 : 0));

export const subject = signal<Subject>({ kind: "held-out", index: 2 });
export const task = signal<TaskName>("mask");
export const mask = signal<Uint8Array>(firstMask());
export const box = signal<readonly [number, number, number, number]>([8, 24, 8, 24]);
export const std = signal(1.5);
export const intensity = signal(0.5);
export const path = signal(0);
export const factor = signal(4);
export const oversample = signal(4);
export const sigmaY = signal(0.05);
export const runs = signal(6);
export const seed = signal(0);
export const label = signal(-1);
export const levels = signal(50);

/** Generation. */
export const madeClass = signal(-1);
export const madeSeed = signal(0);
export const madeCount = signal(20);
export const madeTs = signal<readonly number[]>([10]);
export const zeta = signal(1);

/** Of the article's noisy picture. */
export const noisyLevel = signal(1.2);

export function degradation(): Degradation {
  switch (task.value) {
    case "mask":
      return { task: "mask", mask: mask.value };
    case "box":
      return { task: "box", box: box.value };
    case "blur":
      return { task: "blur", std: std.value };
    case "motion":
      return { task: "motion", intensity: intensity.value, path: path.value };
    case "super":
      return { task: "super", factor: factor.value };
    case "phase":
      return { task: "phase", oversample: oversample.value };
  }
}

const TASKS: readonly TaskName[] = ["mask", "box", "blur", "motion", "super", "phase"];

const toText = (bytes: Uint8Array) =>
  btoa(String.fromCharCode(...bytes))
    .replaceAll("+", "-")
    .replaceAll("/", "_")
    .replaceAll("=", "");
const toBytes = (text: string) =>
  Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (c) => c.charCodeAt(0));

const packed = (bits: Uint8Array) =>
  Uint8Array.from({ length: bits.length / 8 }, (_, i) =>
    bits.subarray(8 * i, 8 * i + 8).reduce((byte, bit) => 2 * byte + bit, 0),
  );
const unpacked = (bytes: Uint8Array) =>
  Uint8Array.from({ length: bytes.length * 8 }, (_, i) => (bytes[i >> 3]! >> (7 - (i & 7))) & 1);

/** One choice under its name in the address. */
interface Entry<T> {
  readonly name: string;
  readonly of: Signal<T>;
  readonly first: T;
  write(value: T): string;
  /** Undefined: nothing of the kind. */
  read(text: string): T | undefined;
}

const entry = <T>(name: string, of: Signal<T>, write: Entry<T>["write"], read: Entry<T>["read"]): Entry<T> => ({
  ...{ name, of, first: of.peek(), write, read },
});

const number = (name: string, of: Signal<number>, min: number, max: number, whole = true) =>
  entry<number>(name, of, String, (text) => {
    const value = Number(text);
    return value >= min && value <= max && (!whole || Number.isInteger(value)) ? value : undefined;
  });

const MAX_SEED = 2 ** 32 - 1;

const ENTRIES = [
  entry(
    "picture",
    subject,
    (s) => (s.kind === "own" ? toText(Uint8Array.from(s.values, (v) => Math.round((v + 1) * 127.5))) : String(s.index)),
    (text): Subject | undefined => {
      if (/^\d{1,2}$/.test(text)) return Number(text) < 64 ? { kind: "held-out", index: Number(text) } : undefined;
      const values = Float32Array.from(toBytes(text), (b) => b / 127.5 - 1);
      return values.length === PIXELS ? { kind: "own", values } : undefined;
    },
  ),
  entry("task", task, String, (text) => TASKS.find((name) => name === text)),
  entry(
    "mask",
    mask,
    (bits) => toText(packed(bits)),
    (text) => {
      const bits = unpacked(toBytes(text));
      return bits.length === PIXELS ? bits : undefined;
    },
  ),
  entry("box", box, String, (text) => {
    const edges = text.split(",").map(Number);
    const [top, bottom, left, right] = edges as [number, number, number, number];
    const fits = (a: number, b: number) => a >= 0 && a < b && b <= SIDE;
    const right4 = edges.length === 4 && edges.every(Number.isInteger) && fits(top, bottom) && fits(left, right);
    return right4 ? [top, bottom, left, right] : undefined;
  }),
  number("std", std, 0.3, 4, false),
  number("intensity", intensity, 0, 1, false),
  number("path", path, 0, MAX_SEED),
  entry("factor", factor, String, (text) => [2, 4, 8].find((f) => String(f) === text)),
  number("oversample", oversample, 1, 8),
  number("noise", sigmaY, 0.005, 1, false),
  number("n", runs, 2, 8),
  number("seed", seed, 0, MAX_SEED),
  number("class", label, -1, 9),
  number("levels", levels, 5, 100),
  number("made-class", madeClass, -1, 9),
  number("made-seed", madeSeed, 0, MAX_SEED),
  number("made-n", madeCount, 1, 60),
  entry("ts", madeTs, String, (text) => {
    const ts = text.split(",").map(Number);
    const rising = ts.every((t, i) => Number.isInteger(t) && t >= 0 && t <= 38 && (i === 0 || t > ts[i - 1]!));
    return rising && ts.length <= 12 ? ts : undefined;
  }),
  number("zeta", zeta, 0, 1, false),
  number("noisy", noisyLevel, 0.1, 10, false),
] as unknown as readonly Entry<unknown>[];

/** The choices that are not the first ones, as the part of an address behind "?". */
export function written(): string {
  const parameters = new URLSearchParams();
  for (const { name, of, first, write } of ENTRIES) {
    const text = write(of.value);
    if (text !== write(first)) parameters.set(name, text);
  }
  return parameters.toString().replaceAll("%2C", ",");
}

/** Takes choices from such a text; what is missing or makes no sense becomes the first choice. */
export function take(text: string): void {
  const parameters = new URLSearchParams(text);
  for (const { name, of, first, read } of ENTRIES) {
    let value: unknown;
    try {
      value = read(parameters.get(name) ?? "");
    } catch {
      value = undefined;
    }
    of.value = parameters.has(name) && value !== undefined ? value : first;
  }
}

/** Begins with the choices in the address, and keeps them there. */
export function followAddress(): void {
  take(location.search);
  let timer: ReturnType<typeof setTimeout> | undefined;
  effect(() => {
    const search = written();
    clearTimeout(timer);
    timer = setTimeout(() => {
      const address = `${location.pathname}${search ? `?${search}` : ""}${location.hash}`;
      history.replaceState(null, "", address);
    }, 250);
  });
}
