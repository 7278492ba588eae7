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
  /** Of a build, not of a development server: there is a service worker. */
  readonly env: { readonly OFFLINE: boolean };
}

/** 256 colours of a perceptual map. */
declare module "virtual:magma" {
  const colours: readonly (readonly [r: number, g: number, b: number])[];
  export default colours;
}

/** Address of the kernels' sources: JSON, by name. */
declare module "virtual:sources" {
  const url: string;
  export default url;
}

/** Kernels that networks are made of, with their references and cases. */
declare module "virtual:kernels" {
  import type { checkKernel } from "ncvsd-gpu";

  const kernels: readonly Parameters<typeof checkKernel>[1][];
  export default kernels;
}
