import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** Folder of this package, whether it runs from source or from dist. */
export const packageRoot: string = (() => {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, "package.json"))) folder = dirname(folder);
  return folder;
})();

export const version: string = JSON.parse(readFileSync(join(packageRoot, "package.json"), "utf8")).version;

/** The checkpoint that commands use when none is named. */
export const bundledCheckpoint = join(packageRoot, "weights", "ncvsd-fashion32.safetensors");
