import { useComputed, useSignal } from "@preact/signals";
import { useLayoutEffect, useRef } from "preact/hooks";
import { boxMask } from "../engine/masks.js";
import { SIDE } from "../engine/protocol.js";
import { toPixels } from "../parts/picture.js";
import * as state from "../state.js";
import { pictureWords, truth } from "./subject.js";

/** Pixels on screen for one of the picture's: the overlay is drawn finer than the picture. */
const SCALE = 10;

const clamp = (v: number, low: number, high: number) => Math.min(high, Math.max(low, v));

/** Hides (or shows again) a disc of pixels. */
function dab(mask: Uint8Array, row: number, column: number, known: number, size: number): void {
  const radius = size / 2;
  for (let r = Math.floor(row - radius); r <= row + radius; r++)
    for (let c = Math.floor(column - radius); c <= column + radius; c++)
      if (r >= 0 && r < SIDE && c >= 0 && c < SIDE && (r + 0.5 - row) ** 2 + (c + 0.5 - column) ** 2 <= radius ** 2)
        mask[r * SIDE + c] = known;
}

/** Moves the box so that its middle is there. */
function moveBox(row: number, column: number): void {
  const [top, bottom, left, right] = state.box.value;
  const [height, width] = [bottom - top, right - left];
  const y = clamp(Math.round(row - height / 2), 0, SIDE - height);
  const x = clamp(Math.round(column - width / 2), 0, SIDE - width);
  state.box.value = [y, y + height, x, x + width];
}

/** The picture on the desk; a mask is drawn on it, a box is moved, with pointer, finger or keys. */
export function Editor({ size, erasing }: { size: number; erasing: boolean }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const last = useRef<readonly [number, number] | undefined>(undefined);
  const cursor = useSignal<readonly [number, number] | undefined>(undefined);
  const pressed = useSignal(false);
  const drawable = useComputed(() => state.task.value === "mask" || state.task.value === "box");
  const hidden = useComputed(() =>
    state.task.value === "mask" ? state.mask.value : state.task.value === "box" ? boxMask(state.box.value) : undefined,
  );
  const picture = truth.value;
  const [mask, at] = [hidden.value, cursor.value];

  useLayoutEffect(() => {
    const context = canvas.current!.getContext("2d")!;
    context.clearRect(0, 0, SIDE * SCALE, SIDE * SCALE);
    if (!picture) return;
    const small = new OffscreenCanvas(SIDE, SIDE);
    small.getContext("2d")!.putImageData(toPixels(picture, SIDE, SIDE, "grey"), 0, 0);
    context.imageSmoothingEnabled = false;
    context.drawImage(small, 0, 0, SIDE * SCALE, SIDE * SCALE);
    const accent = getComputedStyle(canvas.current!).getPropertyValue("--mask");
    if (mask) {
      context.fillStyle = accent;
      mask.forEach((known, i) => {
        if (known === 0) context.fillRect((i % SIDE) * SCALE, Math.floor(i / SIDE) * SCALE, SCALE, SCALE);
      });
    }
    if (at) {
      const radius = state.task.value === "mask" ? (size / 2) * SCALE : SCALE / 2;
      context.lineWidth = 2;
      for (const [colour, more] of [
        ["#000", 1.5],
        ["#fff", 0],
      ] as const) {
        context.strokeStyle = colour;
        context.beginPath();
        context.arc(at[1] * SCALE, at[0] * SCALE, Math.max(4, radius) + more, 0, 2 * Math.PI);
        context.stroke();
      }
    }
  }, [picture, mask, at, size]);

  const place = (event: PointerEvent): readonly [number, number] => {
    const { left, top, width, height } = canvas.current!.getBoundingClientRect();
    return [((event.clientY - top) / height) * SIDE, ((event.clientX - left) / width) * SIDE];
  };
  const act = (to: readonly [number, number]) => {
    if (state.task.value === "box") {
      moveBox(...to);
      return;
    }
    const next = state.mask.value.slice();
    const from = last.current ?? to;
    const steps = Math.max(1, Math.ceil(Math.hypot(to[0] - from[0], to[1] - from[1]) * 2));
    for (let k = 0; k <= steps; k++) {
      const t = k / steps;
      dab(next, from[0] + t * (to[0] - from[0]), from[1] + t * (to[1] - from[1]), Number(erasing), size);
    }
    last.current = to;
    state.mask.value = next;
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const moves: Record<string, readonly [number, number]> = {
      ArrowUp: [-1, 0],
      ArrowDown: [1, 0],
      ArrowLeft: [0, -1],
      ArrowRight: [0, 1],
    };
    const move = moves[event.key];
    const here = cursor.value ?? [SIDE / 2, SIDE / 2];
    if (move) {
      event.preventDefault();
      cursor.value = [clamp(here[0] + move[0], 0.5, SIDE - 0.5), clamp(here[1] + move[1], 0.5, SIDE - 0.5)];
      last.current = undefined;
      if (state.task.value === "box" || pressed.value || event.shiftKey) act(cursor.value);
    } else if (event.key === " " || event.key === "Enter") {
      event.preventDefault();
      last.current = undefined;
      cursor.value = here;
      act(here);
    }
  };

  const words = `${pictureWords.value}. ${
    state.task.value === "mask"
      ? "Draw to hide parts of it: arrow keys move the brush, space hides, shift with the arrows draws."
      : state.task.value === "box"
        ? "Drag the box, or move it with the arrow keys."
        : "The picture that is measured."
  }`;
  return drawable.value ? (
    // biome-ignore lint/a11y/noInteractiveElementToNoninteractiveRole: it is drawn on with keys, too
    <canvas
      ref={canvas}
      class="editor drawing"
      width={SIDE * SCALE}
      height={SIDE * SCALE}
      tabIndex={0}
      role="application"
      aria-label={words}
      onKeyDown={onKeyDown}
      onBlur={() => {
        cursor.value = undefined;
      }}
      onPointerDown={(event) => {
        if (event.button !== 0) return;
        canvas.current!.setPointerCapture(event.pointerId);
        pressed.value = true;
        last.current = undefined;
        act(place(event));
      }}
      onPointerMove={(event) => {
        cursor.value = place(event);
        if (pressed.value) act(place(event));
      }}
      onPointerLeave={() => {
        if (!pressed.value) cursor.value = undefined;
      }}
      onPointerUp={() => {
        pressed.value = false;
      }}
      onPointerCancel={() => {
        pressed.value = false;
      }}
    />
  ) : (
    <canvas ref={canvas} class="editor" width={SIDE * SCALE} height={SIDE * SCALE} role="img" aria-label={words} />
  );
}
