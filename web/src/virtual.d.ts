declare module "virtual:facts" {
  import type { TaskPreset } from "ncvsd-gpu";

  const facts: {
    readonly version: string;
    readonly checkpoint: { readonly name: string; readonly sha256: string; readonly bytes: number };
    readonly classes: readonly string[];
    /** Class of each held-out picture. */
    readonly heldOut: readonly number[];
    /** The command line's settings of PnP-GD, by its names of tasks. */
    readonly tasks: Readonly<Record<string, TaskPreset>>;
  };
  export default facts;
}

/** Address of the held-out pictures: one PNG, eight in a row. */
declare module "virtual:held-out" {
  const url: string;
  export default url;
}

declare module "*.png" {
  const url: string;
  export default url;
}

/** What vite puts into modules. */
interface ImportMeta {
  readonly env: { readonly PROD: boolean };
}
