import facts from "virtual:facts";
import heldOutUrl from "virtual:held-out";
import { computed, signal } from "@preact/signals";
import { tilesOf } from "../parts/pixels.js";
import { subject } from "../state.js";

/** The held-out pictures, once they are there. */
export const heldOut = signal<readonly Float32Array[] | undefined>(undefined);

export async function loadHeldOut(): Promise<void> {
  heldOut.value = await tilesOf(heldOutUrl);
}

/** The clean picture on the desk. */
export const truth = computed(() =>
  subject.value.kind === "own" ? subject.value.values : heldOut.value?.[subject.value.index],
);

/** As the command line names it: it decides the noise. */
export const pictureName = computed(() =>
  subject.value.kind === "own" ? "picture" : String(subject.value.index).padStart(6, "0"),
);

export const className = (index: number): string => facts.classes[index] ?? "any class";

/** What is on the desk, in words. */
export const pictureWords = computed(() =>
  subject.value.kind === "own" ? "Your picture" : `${className(facts.heldOut[subject.value.index]!)}, held out`,
);
