/** Reads the machine's apt sources, to find the mirror of the distribution's own archive that it already uses. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { OsRelease } from "./plan.js";

/** One `deb` entry, in the fields of the deb822 format (sources.list(5)). */
export interface AptSource {
  readonly uris: readonly string[];
  readonly suites: readonly string[];
  readonly components: readonly string[];
  /** Every other field, e.g. Signed-By, as it stands; a value may hold several lines. */
  readonly fields: Readonly<Record<string, string>>;
}

/** Parses the one-line format: `deb [ option=value … ] uri suite [component …]`. */
export function parseOneLine(text: string): AptSource[] {
  const found: AptSource[] = [];
  for (const raw of text.split("\n")) {
    const match = /^\s*deb\s+(?:\[([^\]]*)\]\s+)?(\S+)\s+(\S+)\s*(.*)$/.exec(raw.replace(/#.*/, ""));
    if (!match) continue;
    const [, options = "", uri = "", suite = "", components = ""] = match;
    const fields: Record<string, string> = {};
    for (const option of words(options)) {
      const [key = "", value = ""] = option.split(/\+?=(.*)/);
      fields[fieldName(key)] = value.replaceAll(",", " ");
    }
    found.push({ uris: [uri], suites: [suite], components: words(components), fields });
  }
  return found;
}

/** Parses the deb822 format; disabled entries and those for sources only are left out. */
export function parseDeb822(text: string): AptSource[] {
  const found: AptSource[] = [];
  const lines = text.split("\n").filter((line) => !line.startsWith("#"));
  for (const stanza of lines.join("\n").split(/\n\s*\n/)) {
    const all: Record<string, string> = {};
    let last = "";
    for (const line of stanza.split("\n")) {
      const field = /^([A-Za-z0-9-]+):\s*(.*)$/.exec(line);
      if (field) {
        last = fieldName(field[1] ?? "");
        all[last] = field[2] ?? "";
      } else if (/^\s/.test(line) && last) all[last] += `\n${line}`;
    }
    const { Types = "", URIs = "", Suites = "", Components = "", Enabled = "yes", ...fields } = all;
    if (!words(Types).includes("deb") || /^(no|false|0|off|disable)$/i.test(Enabled.trim())) continue;
    found.push({ uris: words(URIs), suites: words(Suites), components: words(Components), fields });
  }
  return found;
}

/** All `deb` entries of /etc/apt; files that cannot be read are left out. */
export function readAptSources(etc = "/etc/apt"): AptSource[] {
  const read = (file: string) => {
    try {
      return readFileSync(file, "utf8");
    } catch {
      return "";
    }
  };
  let parts: string[] = [];
  try {
    parts = readdirSync(join(etc, "sources.list.d")).sort();
  } catch {}
  const found = parseOneLine(read(join(etc, "sources.list")));
  for (const part of parts) {
    const text = part.endsWith(".sources") || part.endsWith(".list") ? read(join(etc, "sources.list.d", part)) : "";
    found.push(...(part.endsWith(".sources") ? parseDeb822(text) : parseOneLine(text)));
  }
  return found;
}

/**
 * The entries of the distribution's own archive: the main one, with `target` added to its suites, and its updates and
 * security entries. Other vendors' repositories may use the same suite name; the archive is told by its keyring, its
 * address, or by carrying the `-updates` suite too. Empty when none is found.
 */
export function archiveSources(sources: readonly AptSource[], os: OsRelease, target: string | null): AptSource[] {
  const score = (source: AptSource, release: string) => {
    if (!source.suites.includes(release) || !source.components.includes("main")) return 0;
    const keyring = /(debian|ubuntu)-archive/.test(source.fields["Signed-By"] ?? "") ? 4 : 0;
    const address = source.uris.some((uri) => /\/(debian|ubuntu|ubuntu-ports)\/?$/.test(uri)) ? 2 : 0;
    const updates = sources.some((s) => sameMirror(s, source) && s.suites.includes(`${release}-updates`)) ? 2 : 0;
    return 1 + keyring + address + updates;
  };
  for (const release of [os.codename, ...ALIASES]) {
    const [main] = sources.filter((s) => score(s, release) > 0).sort((a, b) => score(b, release) - score(a, release));
    if (!main) continue;
    const rest = sources.filter(
      (s) => s !== main && (sameMirror(s, main) || s.suites.some((suite) => suite === `${release}-security`)),
    );
    const suites = target && !main.suites.includes(target) ? [...main.suites, target] : main.suites;
    return [{ ...main, suites }, ...rest];
  }
  return [];
}

// Some machines follow a moving name instead of a codename.
const ALIASES = ["stable", "oldstable", "testing", "unstable", "sid"];

function sameMirror(a: AptSource, b: AptSource): boolean {
  return a.uris.join() === b.uris.join();
}

/** Writes entries in the deb822 format. */
export function formatDeb822(sources: readonly AptSource[]): string {
  return sources
    .map((source) => {
      const head = [`URIs: ${source.uris.join(" ")}`, `Suites: ${source.suites.join(" ")}`];
      if (source.components.length > 0) head.push(`Components: ${source.components.join(" ")}`);
      const rest = Object.entries(source.fields).map(([key, value]) => `${key}: ${value}`);
      return `${["Types: deb", ...head, ...rest].join("\n")}\n`;
    })
    .join("\n");
}

function words(text: string): string[] {
  return text.split(/\s+/).filter(Boolean);
}

/** `signed-by` (one-line format) and `SIGNED-BY` become `Signed-By`; some option names differ between the formats. */
function fieldName(key: string): string {
  const lower = key.toLowerCase();
  const special: Record<string, string> = { uris: "URIs", arch: "Architectures", lang: "Languages", target: "Targets" };
  return special[lower] ?? lower.replace(/(^|-)[a-z]/g, (letter) => letter.toUpperCase());
}
