import { readdirSync, realpathSync, type Stats, statSync } from "node:fs";
import { extname, join, relative, sep } from "node:path";
import { bad, NcvsdError, quote } from "../errors.js";

/** Endings of pictures and arrays, read or not: a file that has one is meant. */
const MEANT = new Set(
  "png jpg jpeg jpe jfif webp gif bmp tif tiff avif heic heif jxl jp2 ppm pgm pnm npy npz safetensors".split(" "),
);
/** Names that a message lists at most. */
const LISTED = 5;

/** A file of a folder. */
export interface FolderFile {
  /** Path below the folder without the file's ending, parted by "/", in one Unicode form. */
  readonly name: string;
  readonly path: string;
}

export interface FolderListing {
  /** In order of name. */
  readonly files: readonly FolderFile[];
  /** What looks like a picture and is not read, in a sentence; undefined: nothing does. */
  readonly left: string | undefined;
}

/** Why a path cannot be read, in one sentence. */
export function unreadable(path: string, cause: unknown): NcvsdError {
  if (cause instanceof NcvsdError) return cause;
  const missing = (cause as NodeJS.ErrnoException).code === "ENOENT";
  return bad(missing ? `${path} is not there` : `${path} cannot be read: ${(cause as Error).message}`, cause);
}

/**
 * The files of a folder with one of these endings; hidden ones are passed over, links are followed, each folder is entered once.
 * Nothing but regular files is ever opened: a named pipe would never end.
 * @param endings with their dots, in lower case
 * @param deep look into subfolders
 * @throws BAD_ARGUMENT when it is no folder or cannot be read
 */
export function listFolder(folder: string, endings: readonly string[], deep: boolean): FolderListing {
  const files: FolderFile[] = [];
  const left: string[] = [];
  const entered = new Set<string>();
  const visit = (dir: string) => {
    const real = realpathSync(dir);
    if (entered.has(real)) return;
    entered.add(real);
    for (const entry of readdirSync(dir)) {
      if (entry.startsWith(".")) continue;
      const path = join(dir, entry);
      const inside = relative(folder, path).split(sep).join("/");
      const ending = extname(entry).toLowerCase();
      const stats = followed(path);
      if (stats?.isDirectory()) {
        if (deep) visit(path);
        else if (hasPictures(path)) left.push(`${inside}/`);
      } else if (stats?.isFile() && endings.includes(ending)) {
        files.push({ name: inside.slice(0, inside.length - ending.length).normalize("NFC"), path });
      } else if (MEANT.has(ending.slice(1))) left.push(inside);
    }
  };
  try {
    if (!statSync(folder).isDirectory()) throw bad(`${folder} is a file: name a folder`);
    visit(folder);
  } catch (cause) {
    throw unreadable(folder, cause);
  }
  files.sort((a, b) => a.name.localeCompare(b.name, "en", { numeric: true }) || (a.name < b.name ? -1 : 1));
  return { files, left: left.length === 0 ? undefined : `${folder}: not read: ${listed(left)}` };
}

/** undefined: a link that leads nowhere. */
function followed(path: string): Stats | undefined {
  try {
    return statSync(path);
  } catch {
    return undefined;
  }
}

function hasPictures(dir: string): boolean {
  try {
    return readdirSync(dir).some((name) => !name.startsWith(".") && MEANT.has(extname(name).slice(1).toLowerCase()));
  } catch {
    return false;
  }
}

/** The first few names, and how many more there are. */
export function listed(names: readonly string[]): string {
  const shown = names.slice(0, LISTED).map((name) => (/^[\w./-]+$/.test(name) ? name : quote(name)));
  return names.length > LISTED ? `${shown.join(", ")} and ${names.length - LISTED} more` : shown.join(", ");
}
