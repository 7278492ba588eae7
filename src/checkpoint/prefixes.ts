/** Parts of names that wrappers of PyTorch put in: `torch.compile`, data parallel, sharded and checkpointed modules. */
const WRAPPERS = new Set(["_orig_mod", "module", "_fsdp_wrapped_module", "_checkpoint_wrapped_module", "_fpw_module"]);

/** A tensor's name without the parts that wrappers put in: "_orig_mod.module.unet.out_gain" is "unet.out_gain". */
export function bareName(name: string): string {
  return name
    .split(".")
    .filter((part) => !WRAPPERS.has(part))
    .join(".");
}

/** A tensor that every network of the kind has, at a place of its own. */
const MARKS = { edm2: "unet.out_gain", ncvsd: "dec.additional_x_weight" } as const;

/** Every network among tensor names, by the prefix behind which it lies: "" or "ema_model.". */
export function networkPrefixes(names: Iterable<string>): { prefix: string; architecture: "edm2" | "ncvsd" }[] {
  const found: { prefix: string; architecture: "edm2" | "ncvsd" }[] = [];
  for (const name of names) {
    for (const architecture of ["edm2", "ncvsd"] as const) {
      const mark = MARKS[architecture];
      if (name === mark || name.endsWith(`.${mark}`)) found.push({ prefix: name.slice(0, -mark.length), architecture });
    }
  }
  return found;
}
