import { closeSync, openSync, readdirSync, readSync, realpathSync } from "node:fs";
import { homedir } from "node:os";
import { basename, join } from "node:path";
import { Face, type Tables } from "./face.js";

/** A font of this machine. */
interface SystemFont {
  readonly file: string;
  readonly face: Face;
}

/** Where fonts are, by the platform. */
function folders({ WINDIR = "C:\\Windows", LOCALAPPDATA = homedir() } = process.env): string[] {
  if (process.platform === "win32") return [join(WINDIR, "Fonts"), join(LOCALAPPDATA, "Microsoft", "Windows", "Fonts")];
  if (process.platform === "darwin")
    return ["/System/Library/Fonts", "/Library/Fonts", join(homedir(), "Library", "Fonts")];
  const own = [".local/share/fonts", ".fonts"].map((folder) => join(homedir(), folder));
  return ["/usr/share/fonts", "/usr/local/share/fonts", ...own];
}

/** Words of files' names that a font for captions had better not have. */
const SPECIAL = /bold|italic|oblique|black|heavy|light|thin|mono|math|serif|condensed|narrow/gi;
const specialness = (file: string) =>
  basename(file)
    .replace(/sans-?serif/i, "")
    .match(SPECIAL)?.length ?? 0;

/**
 * Font files of a folder and those below, links followed; a folder that cannot be read hides no other.
 * @param seen folders that were listed: links may go round
 */
export function fontsBelow(folder: string, seen = new Set<string>()): string[] {
  try {
    const real = realpathSync(folder);
    if (seen.has(real)) return [];
    seen.add(real);
    return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
      const path = join(folder, entry.name);
      if (/\.(ttf|otf|ttc|otc)$/i.test(entry.name)) return [path];
      return entry.isDirectory() || entry.isSymbolicLink() ? fontsBelow(path, seen) : [];
    });
  } catch {
    return [];
  }
}

let files: readonly string[] | undefined;

/** Files of fonts, plain ones first; listed once. */
function fontFiles(): readonly string[] {
  if (files) return files;
  const seen = new Set<string>();
  const fonts = folders()
    .flatMap((folder) => fontsBelow(folder, seen))
    .sort();
  files = fonts.sort((a, b) => specialness(a) - specialness(b));
  return files;
}

const faces = new Map<string, Face | undefined>();

function faceOf(file: string): Face | undefined {
  if (!faces.has(file)) {
    let face: Face | undefined;
    try {
      const tables = tablesOf(file);
      // Pictures of characters alone are not drawn.
      if (tables.has("glyf") || tables.has("CFF ")) face = new Face(tables);
    } catch {
      // No font, whatever its name says.
    }
    faces.set(file, face);
  }
  return faces.get(file);
}

const found = new Map<string, SystemFont | undefined>();

/** A font of this machine that has the character, if there is one; looked for once. Control characters are in none. */
export function systemFont(c: string): SystemFont | undefined {
  if (!found.has(c)) {
    const file = /\p{C}/u.test(c) ? undefined : fontFiles().find((one) => faceOf(one)?.has(c));
    found.set(c, file === undefined ? undefined : { file, face: faceOf(file)! });
  }
  return found.get(c);
}

/** The tables that `Face` reads of a TrueType or OpenType file, or of a collection's first font; those of outlines are empty. */
function tablesOf(path: string): Tables {
  const file = openSync(path, "r");
  const at = (offset: number, length: number): DataView => {
    const bytes = new Uint8Array(length);
    readSync(file, bytes, 0, length, offset);
    return new DataView(bytes.buffer);
  };
  try {
    const collection = at(0, 16);
    const start = collection.getUint32(0) === 0x74746366 ? collection.getUint32(12) : 0;
    const count = at(start, 12).getUint16(4);
    const list = at(start + 12, 16 * count);
    return new Map(
      Array.from({ length: count }, (_, i) => {
        const tag = String.fromCharCode(...new Uint8Array(list.buffer, 16 * i, 4));
        const used = ["head", "hhea", "cmap", "hmtx"].includes(tag);
        return [tag, at(list.getUint32(16 * i + 8), used ? list.getUint32(16 * i + 12) : 0)] as const;
      }),
    );
  } finally {
    closeSync(file);
  }
}
