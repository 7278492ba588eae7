import { node } from "../node/modules.js";
import { bad, quote } from "./fail.js";
import type { Keeper, KeptFile } from "./kept.js";

interface Description {
  readonly url: string;
  readonly size: number;
  readonly tag: string | null;
  readonly sha256: string | null;
}

const description = (text: string): Description | undefined => {
  try {
    const { url, size, tag, sha256 } = JSON.parse(text) as Record<string, unknown>;
    const valid = typeof url === "string" && Number.isSafeInteger(size);
    const optional = (value: unknown) => (typeof value === "string" ? value : null);
    return valid ? { url, size: size as number, tag: optional(tag), sha256: optional(sha256) } : undefined;
  } catch {
    return undefined;
  }
};

/**
 * Keeps files in a folder of this machine: KEY-NAME beside KEY-NAME.json, which is written last; KEY-NAME.part.json and .part while
 * one arrives. A part belongs to the process that writes it (its number is in the name) and is taken over when that is gone.
 */
export async function inFolder(folder: string): Promise<Keeper> {
  const fs = await node.files();
  const { createHash } = await node.crypto();
  const { join } = await node.path();
  const nameOf = ({ href, pathname }: URL) => {
    const last = decodeURIComponent(pathname.split("/").at(-1) ?? "").replace(/[^\w.-]/g, "_");
    return `${createHash("sha256").update(href).digest("hex").slice(0, 16)}-${last.slice(-80) || "file"}`;
  };
  const read = async (path: string) => description(await fs.readFile(path, "utf8").catch(() => ""));

  const keep = (path: string, told: Description): KeptFile => ({
    version: { size: told.size, tag: told.tag },
    sha256: told.sha256,
    open: () => Promise.resolve({ path }),
    async forget() {
      await fs.rm(`${path}.json`, { force: true });
      await fs.rm(path, { force: true });
    },
  });

  return {
    async find(url) {
      const path = join(folder, nameOf(url));
      const told = await read(`${path}.json`);
      if (told?.url !== url.href) return undefined;
      const size = await fs.stat(path).then(
        (info) => info.size,
        () => undefined,
      );
      return size === told.size ? keep(path, told) : undefined;
    },

    async begin(url, version) {
      await fs.mkdir(folder, { recursive: true, mode: 0o700 });
      const name = nameOf(url);
      const path = join(folder, name);
      const own = `${path}.${process.pid}.part`;
      // What a process that is gone has left of the same version.
      for (const left of (await fs.readdir(folder)).filter((file) => file.startsWith(`${name}.`))) {
        const pid = Number(/\.(\d+)\.part$/.exec(left)?.[1] ?? Number.NaN);
        if (!(pid > 0) || (pid !== process.pid && isAlive(pid))) continue;
        const part = join(folder, left);
        const told = await read(`${part}.json`);
        const usable = version && told && told.tag !== null && told.tag === version.tag && told.size === version.size;
        if (usable && part !== own) await fs.rename(part, own).catch(() => {});
        if (part !== own) await fs.rm(`${part}.json`, { force: true });
        if (!usable) await fs.rm(part, { force: true });
      }
      const handle = await fs.open(own, "a").catch((cause) => {
        throw bad(
          `${quote(own)} cannot be written (${(cause as { code?: string }).code}): what is fetched has no place`,
          cause,
        );
      });
      const told = { url: url.href, size: version?.size ?? 0, tag: version?.tag ?? null, sha256: null };
      await fs.writeFile(`${own}.json`, JSON.stringify(told));
      let length = (await handle.stat()).size;
      let open = true;
      const close = async () => {
        if (open) await handle.close();
        open = false;
      };
      const remove = () => Promise.all([fs.rm(own, { force: true }), fs.rm(`${own}.json`, { force: true })]);
      return {
        get length() {
          return length;
        },
        async append(bytes) {
          await handle.appendFile(bytes).catch((cause) => {
            throw bad(
              `${quote(own)} cannot be written (${(cause as { code?: string }).code}): is the disk full?`,
              cause,
            );
          });
          length += bytes.length;
        },
        async restart() {
          await handle.truncate(0);
          length = 0;
        },
        async finish(done, sha256) {
          await handle.sync();
          await close();
          const final = { url: url.href, size: done.size, tag: done.tag, sha256 };
          await fs.rm(`${path}.json`, { force: true });
          await fs.rename(own, path);
          await fs.writeFile(`${own}.json`, JSON.stringify(final));
          await fs.rename(`${own}.json`, `${path}.json`);
          return keep(path, final);
        },
        pause: close,
        async discard() {
          await close();
          await remove();
        },
      };
    },
  };
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as { code?: string }).code === "EPERM";
  }
}

/** What lies in the folder, whole and in parts, in bytes. */
export async function keptBytes(folder: string): Promise<{ readonly files: number; readonly bytes: number }> {
  const fs = await node.files();
  const { join } = await node.path();
  const names = await fs.readdir(folder).catch(() => []);
  const sizes = await Promise.all(
    names.map((name) =>
      fs
        .stat(join(folder, name))
        .then(({ size }) => size)
        .catch(() => 0),
    ),
  );
  return {
    files: names.filter((name) => !/\.(json|part)$/.test(name)).length,
    bytes: sizes.reduce((sum, size) => sum + size, 0),
  };
}
