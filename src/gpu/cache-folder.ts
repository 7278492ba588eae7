import { homedir } from "node:os";
import { join } from "node:path";

/** `$XDG_CACHE_HOME/ncvsd-gpu/NAME`, by default below `~/.cache`. */
export function cacheFolder(name: string, env: NodeJS.ProcessEnv = process.env): string {
  return join(env.XDG_CACHE_HOME || join(homedir(), ".cache"), "ncvsd-gpu", name);
}
