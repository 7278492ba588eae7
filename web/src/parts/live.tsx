import { signal } from "@preact/signals";

/** What a screen reader says next. */
const words = signal("");

export function announce(text: string): void {
  // Only what changes is read: a word said again ends in another space.
  words.value = words.peek() === text ? `${text}\u00a0` : text;
}

export function LiveRegion() {
  return (
    <div role="status" aria-live="polite" class="unseen">
      {words.value}
    </div>
  );
}
