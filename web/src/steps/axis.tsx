import { noiseLevels } from "ncvsd-gpu";
import { useRef } from "preact/hooks";
import { madeTs } from "../state.js";

const LEVELS = noiseLevels({ steps: 40, sigmaMin: 0.002, sigmaMax: 80, rho: 7 });
const WIDTH = 1000;
const [LARGEST, SMALLEST] = [100, 0.02];
/** Place of a noise level along the axis, which is logarithmic. */
const scale = (sigma: number) => Math.min(WIDTH, (WIDTH * Math.log(LARGEST / sigma)) / Math.log(LARGEST / SMALLEST));
/** The last levels are below what one sees. */
const LAST = 32;

/** Noise level of a time step. */
export const sigmaOf = (t: number): number => LEVELS[t]!;

export const sigmaText = (sigma: number) => (sigma >= 10 || sigma === 0 ? sigma.toFixed(0) : sigma.toPrecision(2));

const nearest = (x: number) => {
  let best = 0;
  for (let t = 1; t <= LAST; t++) if (Math.abs(scale(LEVELS[t]!) - x) < Math.abs(scale(LEVELS[best]!) - x)) best = t;
  return best;
};

function put(ts: readonly number[]): void {
  madeTs.value = [...new Set(ts)].sort((a, b) => a - b);
}

/** The noise levels that are evaluated, as ticks to be dragged along an axis; a click on the axis adds one. */
export function Axis() {
  const box = useRef<HTMLDivElement>(null);
  const ts = madeTs.value;
  const at = (event: PointerEvent | MouseEvent) => {
    const { left, width } = box.current!.getBoundingClientRect();
    return nearest(((event.clientX - left) / width) * WIDTH);
  };
  const move = (from: number, to: number) => {
    const bounded = Math.min(LAST, Math.max(0, to));
    if (bounded === from || ts.includes(bounded)) return from;
    put(ts.map((t) => (t === from ? bounded : t)));
    return bounded;
  };
  return (
    <div class="axis" ref={box}>
      {/* biome-ignore lint/a11y/useKeyWithClickEvents: the button below the axis adds a level, too */}
      {/* biome-ignore lint/a11y/noStaticElementInteractions: as above */}
      <div
        class="axis-line"
        onClick={(event) => {
          if (ts.length < 8) put([...ts, at(event)]);
        }}
      />
      {[80, 10, 1, 0.1].map((sigma) => (
        <span key={sigma} class="axis-label" style={{ left: `${scale(sigma) / 10}%` }}>
          {sigma}
        </span>
      ))}
      {ts.map((t, i) => (
        <button
          key={i}
          type="button"
          class="tick"
          role="slider"
          aria-label={`Noise level of step ${i + 1}`}
          aria-valuemin={0}
          aria-valuemax={LAST}
          aria-valuenow={t}
          aria-valuetext={`sigma ${sigmaText(LEVELS[t]!)}`}
          title="Drag, or use the arrow keys; Delete takes it away"
          style={{ left: `${scale(LEVELS[t]!) / 10}%` }}
          onKeyDown={(event) => {
            const by = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1 }[event.key];
            if (by) {
              event.preventDefault();
              move(t, t + by);
            } else if ((event.key === "Delete" || event.key === "Backspace") && ts.length > 1) {
              put(ts.filter((v) => v !== t));
              // The last tick of the row is the one that goes: the focus stays on the axis.
              box.current!.querySelectorAll<HTMLElement>(".tick")[Math.max(0, i - 1)]!.focus();
            }
          }}
          onPointerDown={(event) => {
            const tick = event.currentTarget;
            tick.setPointerCapture(event.pointerId);
            let now = t;
            tick.onpointermove = (moved) => {
              const to = at(moved);
              if (to === now || madeTs.value.includes(to)) return;
              put(madeTs.value.map((v) => (v === now ? to : v)));
              now = to;
            };
            // However it ends.
            tick.onlostpointercapture = () => {
              tick.onpointermove = null;
            };
          }}
        >
          <span>{sigmaText(LEVELS[t]!)}</span>
        </button>
      ))}
    </div>
  );
}

export function addLevel(): void {
  const free = [16, 10, 22, 5, 28, 0, 13, 19].find((t) => !madeTs.value.includes(t));
  if (free !== undefined) put([...madeTs.value, free]);
}
