import * as state from "../state.js";

/** Time steps for so many evaluations. */
export const PRESETS = { "1": [10], "2": [0, 16], "4": [0, 4, 8, 12] } as const;

/** Levels of the teacher's walk. */
export const HEUN_STEPS = 16;

/** Whose picture it is: what is made below, one class of it. */
export const seedAndLabel = () => ({ seed: state.madeSeed.value, label: Math.max(0, state.madeClass.value) });
