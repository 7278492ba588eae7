import type { ComponentChildren } from "preact";
import { useId } from "preact/hooks";

export interface SliderProps {
  readonly label: string;
  readonly value: number;
  readonly min: number;
  readonly max: number;
  readonly step: number;
  readonly shown?: string;
  readonly hint?: string;
  onInput(value: number): void;
}

export function Slider({ label, value, min, max, step, shown = String(value), hint, onInput }: SliderProps) {
  const id = useId();
  return (
    <div class="slider">
      <label for={id}>{label}</label>
      <output for={id}>{shown}</output>
      <input
        id={id}
        type="range"
        {...{ min, max, step, value }}
        aria-valuetext={shown}
        aria-describedby={hint ? `${id}-hint` : undefined}
        onInput={(event) => onInput(event.currentTarget.valueAsNumber)}
      />
      {hint && (
        <small id={`${id}-hint`} class="hint">
          {hint}
        </small>
      )}
    </div>
  );
}

export interface ChoiceProps<T extends string> {
  readonly name: string;
  readonly legend: string;
  readonly value: T;
  readonly options: readonly (readonly [value: T, label: ComponentChildren])[];
  readonly quiet?: boolean;
  onChoose(value: T): void;
}

/** One of a few: radio buttons that look like tabs. */
export function Choice<T extends string>({ name, legend, value, options, quiet, onChoose }: ChoiceProps<T>) {
  return (
    <fieldset class={quiet ? "choice quiet" : "choice"}>
      <legend>{legend}</legend>
      <div>
        {options.map(([option, label]) => (
          <label key={option}>
            <input type="radio" name={name} checked={option === value} onChange={() => onChoose(option)} />
            <span>{label}</span>
          </label>
        ))}
      </div>
    </fieldset>
  );
}

const dice = () => crypto.getRandomValues(new Uint32Array(1))[0]! % 100_000;

/** A seed, and a die for another one. */
export function Seed({ label, value, onInput }: { label: string; value: number; onInput(value: number): void }) {
  const id = useId();
  return (
    <div class="seed">
      <label for={id}>{label}</label>
      <input
        id={id}
        type="number"
        min={0}
        max={2 ** 32 - 1}
        step={1}
        value={value}
        onChange={(event) => {
          const given = event.currentTarget.valueAsNumber;
          if (Number.isInteger(given) && given >= 0 && given < 2 ** 32) onInput(given);
          else event.currentTarget.value = String(value);
        }}
      />
      <button
        type="button"
        class="icon"
        aria-label={`Another ${label.toLowerCase()}`}
        title="Another seed"
        onClick={() => onInput(dice())}
      >
        <svg viewBox="0 0 24 24" aria-hidden="true">
          <rect x="4" y="4" width="16" height="16" rx="3.5" fill="none" stroke="currentColor" stroke-width="1.8" />
          <circle cx="9" cy="9" r="1.5" />
          <circle cx="15" cy="9" r="1.5" />
          <circle cx="12" cy="12" r="1.5" />
          <circle cx="9" cy="15" r="1.5" />
          <circle cx="15" cy="15" r="1.5" />
        </svg>
      </button>
    </div>
  );
}
