import { useSignal } from "@preact/signals";
import { status } from "../engine/client.js";
import { Choice, Seed, Slider } from "../parts/controls.js";
import * as state from "../state.js";
import { Editor } from "./editor.js";
import { network } from "./network.js";
import { failure, outcome, restore, stop } from "./outcome.js";
import { Results } from "./results.js";
import { Share } from "./share.js";
import { Source } from "./source.js";
import { className } from "./subject.js";

const TASKS = [
  ["mask", "Hide parts"],
  ["box", "Box"],
  ["blur", "Blur"],
  ["motion", "Motion"],
  ["super", "Few pixels"],
  ["phase", "Phase lost"],
] as const;

const ABOUT: Record<(typeof TASKS)[number][0], string> = {
  mask: "Draw on the picture. What you cover is not measured at all.",
  box: "A box is not measured. Drag it.",
  blur: "The picture is measured through a Gaussian blur.",
  motion: "The camera shook while the picture was taken.",
  super: "Each number measured stands for a block of pixels.",
  phase: "Only the amplitudes of the Fourier transform are measured.",
};

function Task({
  brush,
  erasing,
  set,
}: {
  brush: number;
  erasing: boolean;
  set(brush: number, erasing: boolean): void;
}) {
  switch (state.task.value) {
    case "mask":
      return (
        <>
          <Slider
            label="Brush"
            value={brush}
            min={1}
            max={9}
            step={1}
            shown={`${brush} px`}
            onInput={(v) => set(v, erasing)}
          />
          <div class="row">
            <Choice
              name="brush"
              legend="The brush"
              quiet
              value={erasing ? "show" : "hide"}
              options={[
                ["hide", "Hides"],
                ["show", "Shows again"],
              ]}
              onChoose={(v) => set(brush, v === "show")}
            />
            <button
              type="button"
              class="plain"
              onClick={() => {
                state.mask.value = new Uint8Array(1024).fill(1);
              }}
            >
              Clear
            </button>
          </div>
        </>
      );
    case "box": {
      const [top, bottom, left, right] = state.box.value;
      const resize = (side: number) => {
        const within = (from: number, to: number) => {
          const at = Math.min(32 - side, Math.max(0, Math.round((from + to - side) / 2)));
          return [at, at + side] as const;
        };
        state.box.value = [...within(top, bottom), ...within(left, right)];
      };
      return (
        <Slider
          label="Side"
          value={bottom - top}
          min={4}
          max={28}
          step={1}
          shown={`${bottom - top} px`}
          onInput={resize}
        />
      );
    }
    case "blur":
      return <Range of={state.std} label="Width" min={0.5} max={3} step={0.1} unit=" px" />;
    case "motion":
      return (
        <>
          <Range of={state.intensity} label="Shake" min={0} max={1} step={0.05} />
          <Seed label="Path" value={state.path.value} onInput={(v) => (state.path.value = v)} />
        </>
      );
    case "super":
      return (
        <Choice
          name="factor"
          legend="Pixels become fewer by"
          quiet
          value={String(state.factor.value)}
          options={[
            ["2", "2 × 2"],
            ["4", "4 × 4"],
            ["8", "8 × 8"],
          ]}
          onChoose={(v) => (state.factor.value = Number(v))}
        />
      );
    case "phase":
      return (
        <Range
          of={state.oversample}
          label="Zeros around"
          min={1}
          max={8}
          step={1}
          hint="In eighths of the side: more of them make it easier."
        />
      );
  }
}

interface RangeProps {
  readonly of: { value: number };
  readonly label: string;
  readonly min: number;
  readonly max: number;
  readonly step: number;
  readonly unit?: string;
  readonly hint?: string;
}

function Range({ of, unit = "", ...rest }: RangeProps) {
  return <Slider {...rest} value={of.value} shown={`${of.value}${unit}`} onInput={(v) => (of.value = v)} />;
}

/** Noise on a logarithmic slider. */
function Noise() {
  const { value } = state.sigmaY;
  const shown = `${Number(((value / 2) * 100).toPrecision(2))}%`;
  const set = (v: number) => {
    state.sigmaY.value = Number((10 ** v).toPrecision(2));
  };
  return <Slider label="Noise" value={Math.log10(value)} min={-2} max={-0.3} step={0.05} shown={shown} onInput={set} />;
}

function Go() {
  const { phase } = status.value;
  const now = outcome.value;
  const running = now?.phase === "running";
  const ready = phase === "ready" || phase === "reopening";
  const at = now?.at;
  return (
    <div class="go">
      {running ? (
        <button type="button" class="main" onClick={stop}>
          Stop
        </button>
      ) : (
        <button type="button" class="main" disabled={!ready} onClick={() => void restore()}>
          {ready ? "Draw samples" : phase === "failed" ? "Nothing to draw with" : "Getting ready …"}
        </button>
      )}
      <progress
        max={1}
        value={running && at ? at.step / at.steps : 0}
        aria-label="Progress of the samples"
        hidden={!running}
      />
      {running && at && <span class="hint">noise level {at.sigma.toPrecision(2)}</span>}
    </div>
  );
}

export function Desk() {
  const brush = useSignal(5);
  const erasing = useSignal(false);
  return (
    <div class="desk">
      <div class="subject">
        <Editor size={brush.value} erasing={erasing.value} />
        <Source />
      </div>
      <div class="controls">
        <Choice
          name="task"
          legend="What is lost"
          value={state.task.value}
          options={TASKS}
          onChoose={(v) => (state.task.value = v)}
        />
        <p class="about">{ABOUT[state.task.value]}</p>
        <Task
          brush={brush.value}
          erasing={erasing.value}
          set={(b, e) => {
            brush.value = b;
            erasing.value = e;
          }}
        />
        <Noise />
        <Range of={state.runs} label="Samples" min={2} max={8} step={1} />
        <Seed label="Seed" value={state.seed.value} onInput={(v) => (state.seed.value = v)} />
        <details>
          <summary>More</summary>
          <Range
            of={state.levels}
            label="Noise levels"
            min={5}
            max={100}
            step={5}
            hint="One evaluation of the network for each: fewer are faster, and fit less well."
          />
          <label class="select">
            <span>The network is told</span>
            <select
              value={String(state.label.value)}
              onChange={(event) => {
                state.label.value = Number(event.currentTarget.value);
              }}
            >
              <option value="-1">nothing</option>
              {Array.from({ length: 10 }, (_, i) => (
                <option key={i} value={i}>
                  {className(i)}
                </option>
              ))}
            </select>
          </label>
        </details>
        {network.value && (
          <div class="row">
            <span class="hint">Drawn with {network.value.name}.</span>
            <button type="button" class="plain" onClick={() => (network.value = undefined)}>
              Back to the page's own
            </button>
          </div>
        )}
        <Go />
        {failure.value && (
          <p class="trouble" role="alert">
            {failure.value}
          </p>
        )}
      </div>
      <Results />
      <Share />
    </div>
  );
}
