import { signal } from "@preact/signals";

/** What a screen reader says next. */
const words = signal("");

export function announce(text: string): void {
  words.value = text;
}

export function LiveRegion() {
  return (
    <div role="status" aria-live="polite" class="unseen">
      {words.value}
    </div>
  );
}
