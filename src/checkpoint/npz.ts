import { bad } from "../errors.js";
import type { ByteSource } from "./byte-source.js";
import { NPY_HEADER_BYTES, type NpyHeader, npyHeader } from "./npy.js";
import { openSource } from "./source.js";
import { ZipArchive } from "./zip.js";

/** An array of an archive whose elements have not been read yet. */
export interface NpzMember {
  readonly header: NpyHeader;
  /** The whole .npy. */
  bytes(): Promise<Uint8Array>;
}

/**
 * The arrays of a NumPy archive (`np.savez`, compressed or not) that have one of these names, by name; no names: all of them.
 * Nothing is unpacked before its size is known and allowed.
 * @param limit bytes that an array may claim
 * @throws BAD_ARGUMENT when it is no archive, damaged, or an array is too large
 */
export async function openNpz(
  bytes: Uint8Array | ByteSource,
  file: string,
  names: readonly string[],
  limit: number,
): Promise<Map<string, NpzMember>> {
  if (bytes instanceof Uint8Array && (bytes[0] !== 0x50 || bytes[1] !== 0x4b))
    throw bad(`${file} is no .npz file: it does not begin like a zip archive`);
  const said = async <T>(action: () => Promise<T>): Promise<T> => {
    try {
      return await action();
    } catch (cause) {
      throw bad(`${file} is damaged: ${(cause as Error).message}`, cause);
    }
  };
  const archive = await said(async () =>
    ZipArchive.open(bytes instanceof Uint8Array ? await openSource(bytes) : bytes),
  );
  const members = new Map<string, NpzMember>();
  for (const path of archive.names) {
    const name = path.replace(/\.npy$/, "");
    if (!path.endsWith(".npy") || (names.length > 0 && !names.includes(name))) continue;
    const source = archive.member(path)!;
    if (source.size > limit + NPY_HEADER_BYTES)
      throw bad(`${file}: ${path} claims ${source.size} bytes, where ${limit} are enough`);
    const head = await said(() => source.read(0, Math.min(source.size, NPY_HEADER_BYTES)));
    const header = npyHeader(head, `${file}: ${path}`);
    members.set(name, { header, bytes: () => said(() => source.read(0, source.size)) });
  }
  return members;
}
