import { signal } from "@preact/signals";
import { className } from "../desk/subject.js";
import type { Frame, Strip } from "../engine/protocol.js";
import { Choice, Seed, Slider } from "../parts/controls.js";
import { Go } from "../parts/go.js";
import { task } from "../parts/job.js";
import { Picture } from "../parts/picture.js";
import { recorded } from "../recorded.js";
import * as state from "../state.js";
import { Axis, addLevel, sigmaOf, sigmaText } from "./axis.js";
import { HEUN_STEPS, PRESETS, seedAndLabel } from "./choices.js";
import { Compare } from "./compare.js";

const mine = task<"steps">();
const theirs = task<"teacher">();
const strip = signal<readonly Frame[] | undefined>(undefined);
const heun = signal<readonly Frame[] | undefined>(undefined);
const result = signal<Strip | undefined>(undefined);
const at = signal(0);

async function go(): Promise<void> {
  strip.value = [];
  result.value = undefined;
  at.value = 0;
  const job = { kind: "steps", ...seedAndLabel(), ts: state.madeTs.value, zeta: state.zeta.value } as const;
  const made = await mine.start(job, (frame) => {
    strip.value = [...(strip.value ?? []), frame];
    at.value = strip.value.length - 1;
  });
  if (made) result.value = made;
}

async function teach(): Promise<void> {
  heun.value = [];
  await theirs.start({ kind: "teacher", ...seedAndLabel(), steps: HEUN_STEPS }, (frame) => {
    heun.value = [...(heun.value ?? []), frame];
  });
}

/** Noise of any level as grey. */
const visible = ({ noisy, sigma }: Frame) => noisy.map((v) => v / Math.max(1, sigma));

/** The recorded strip of four steps; what goes in was stored as it is shown. */
const stored = (): readonly Frame[] => {
  const tiles = recorded.steps.slice(6, 14);
  return PRESETS["4"].map((t, i) => {
    const sigma = sigmaOf(t);
    return { sigma, noisy: tiles[2 * i]!.map((v) => v * Math.max(1, sigma)), denoised: tiles[2 * i + 1]! };
  });
};

/** One step, large. */
function Large({ of, step }: { of: Frame; step: number }) {
  return (
    <div class="large">
      <figure>
        <Picture values={visible(of)} label={`What goes into step ${step}, large`} />
        <figcaption>
          x<sub>{step}</sub>, at noise level {sigmaText(of.sigma)}
        </figcaption>
      </figure>
      <figure>
        <Picture values={of.denoised} label={`What the network makes of it in step ${step}, large`} />
        <figcaption>the network's draw</figcaption>
      </figure>
    </div>
  );
}

function Row({ frames, title, marked }: { frames: readonly Frame[]; title: string; marked?: number }) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls
    <section class="frames" aria-label={title} tabIndex={0}>
      {frames.map((frame, i) => (
        <figure key={i} class={marked === i ? "frame marked" : "frame"}>
          <Picture values={visible(frame)} label={`What goes into step ${i + 1}`} />
          <Picture values={frame.denoised} label={`What the network makes of it in step ${i + 1}`} />
          <figcaption>σ {sigmaText(frame.sigma)}</figcaption>
        </figure>
      ))}
    </section>
  );
}

/** One seed, step by step. */
export function Steps() {
  const frames = strip.value ?? stored();
  const chosen = frames[Math.min(at.value, frames.length - 1)];
  const preset = Object.entries(PRESETS).find(([, ts]) => ts.join() === state.madeTs.value.join())?.[0] ?? "own";
  return (
    <div class="panel">
      <div class="panel-controls">
        <Choice
          name="steps"
          legend="Evaluations"
          quiet
          value={preset}
          options={[
            ["1", "1"],
            ["2", "2"],
            ["4", "4"],
            ["own", "Your own"],
          ]}
          onChoose={(name) => {
            state.madeTs.value = name === "own" ? [0, 10, 20] : PRESETS[name as keyof typeof PRESETS];
          }}
        />
        <Seed label="Seed" value={state.madeSeed.value} onInput={(v) => (state.madeSeed.value = v)} />
        <Slider
          label="Fresh noise (zeta)"
          value={state.zeta.value}
          min={0}
          max={1}
          step={0.1}
          onInput={(v) => (state.zeta.value = v)}
        />
      </div>
      <div>
        <p class="legend">Noise levels that are evaluated: drag them</p>
        <Axis />
        <button type="button" class="plain" onClick={addLevel} disabled={state.madeTs.value.length >= 8}>
          Add a level
        </button>
      </div>
      <div class="row">
        <Go of={mine} onStart={() => void go()}>
          Show the steps
        </Go>
        <Go second of={theirs} onStart={() => void teach()}>
          And the teacher's
        </Go>
      </div>
      <div class="strips">
        <Row frames={frames} title="Steps of the generative denoiser" marked={at.value} />
        {chosen && frames.length > 1 && (
          <Slider
            label="Step"
            value={Math.min(at.value, frames.length - 1) + 1}
            min={1}
            max={frames.length}
            step={1}
            shown={`${Math.min(at.value, frames.length - 1) + 1} of ${frames.length}`}
            onInput={(v) => (at.value = v - 1)}
          />
        )}
        {chosen && <Large of={chosen} step={Math.min(at.value, frames.length - 1) + 1} />}
        <p class="hint">
          Above: what goes into a step. Below: what the network makes of it.{" "}
          {result.value
            ? `${className(seedAndLabel().label)}, ${result.value.evaluations} evaluation${result.value.evaluations === 1 ? "" : "s"}, ${(1000 * result.value.seconds).toFixed(0)} ms.`
            : strip.value
              ? ""
              : "A sandal in four steps, recorded."}
        </p>
        {heun.value && (
          <>
            <Row frames={heun.value} title="Steps of the teacher" />
            <p class="hint">The teacher: Heun's sampler, 16 levels, 31 evaluations, the same noise to begin with.</p>
          </>
        )}
      </div>
      <div class="strips">
        <Compare />
      </div>
    </div>
  );
}
