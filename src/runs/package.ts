import { existsSync, readdirSync, readFileSync } from "node:fs";
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

/** The feature network of `evaluate` when none is named, and the statistics that belong to it. */
export const bundledFeatures = join(packageRoot, "weights", "fashion32-features.safetensors");
export const bundledReference = join(packageRoot, "weights", "fashion32-reference-stats.safetensors");

/** DISCO's benchmark mixtures of 2, 10 and 50 coordinates with their test points. */
export const bundledMixtures = join(packageRoot, "weights", "disco-mixtures.safetensors");

/** Every file of the weights that come with the package. */
export const bundledFiles = (): string[] => {
  const folder = join(packageRoot, "weights");
  return readdirSync(folder).map((name) => join(folder, name));
};
