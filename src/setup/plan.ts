/** Decides what to try on a machine without an adapter. Pure, but for `readFacts`. */
import { existsSync, readFileSync } from "node:fs";
import { available } from "./command.js";

/** What /etc/os-release says, for distributions that use Debian's or Ubuntu's archive. */
export interface OsRelease {
  readonly family: "debian" | "ubuntu";
  readonly codename: string;
  /** VERSION_ID of the distribution itself; null for rolling ones and derivatives. */
  readonly version: number | null;
}

export interface Facts {
  readonly platform: NodeJS.Platform;
  readonly arch: string;
  readonly os: OsRelease | null;
  readonly apt: boolean;
  readonly root: boolean;
  readonly passwordlessSudo: boolean;
}

/**
 * - `apt`: install Mesa's lavapipe as system packages;
 * - `unpack`: the same packages, unpacked into the cache folder;
 * - `swiftshader`: SwiftShader out of an npm package into the cache folder.
 */
export type Step = "apt" | "unpack" | "swiftshader";

/** lavapipe comes first: it is about three times as fast as SwiftShader and has f16. */
export function planSetUp(facts: Facts): Step[] {
  if (facts.platform !== "linux") return [];
  const steps: Step[] = [];
  if (facts.apt && facts.os && mesaSuite(facts.os) !== undefined) {
    if (facts.root || facts.passwordlessSudo) steps.push("apt");
    steps.push("unpack");
  }
  if (facts.arch === "x64") steps.push("swiftshader");
  return steps;
}

/**
 * The suite whose Mesa Dawn accepts: a name, null for the release's own, undefined when there is none.
 * Mesa 22.3 (Debian 12, Ubuntu 22.10) is refused; releases before those are too old for Dawn's library itself.
 */
export function mesaSuite(os: OsRelease): string | null | undefined {
  if (os.family === "debian" && os.codename === "bookworm") return "bookworm-backports";
  if (os.version === null) return OLD.has(os.codename) ? undefined : null;
  return os.version >= (os.family === "debian" ? 13 : 24.04) ? null : undefined;
}

// For derivatives, whose version numbers are their own.
const OLD = new Set(["stretch", "buster", "bullseye", "xenial", "bionic", "focal", "jammy"]);

/** Reads /etc/os-release; null for distributions that are neither Debian nor Ubuntu nor made from their archives. */
export function parseOsRelease(text: string): OsRelease | null {
  const value: Record<string, string> = {};
  for (const line of text.split("\n")) {
    const match = /^([A-Z_]+)=(["']?)(.*)\2\s*$/.exec(line);
    if (match) value[match[1] ?? ""] = match[3] ?? "";
  }
  const id = value.ID ?? "";
  const like = [id, ...(value.ID_LIKE ?? "").split(" ")];
  const family = like.includes("ubuntu") ? "ubuntu" : like.includes("debian") ? "debian" : null;
  if (!family) return null;
  const archive = family === "ubuntu" ? value.UBUNTU_CODENAME : value.DEBIAN_CODENAME;
  const codename = archive || value.VERSION_CODENAME;
  if (!codename) return null;
  const version = id === family ? Number(value.VERSION_ID ?? Number.NaN) : Number.NaN;
  return { family, codename, version: Number.isFinite(version) ? version : null };
}

export function readFacts(): Facts {
  const file = ["/etc/os-release", "/usr/lib/os-release"].find((path) => existsSync(path));
  const linux = process.platform === "linux";
  const root = process.getuid?.() === 0;
  return {
    platform: process.platform,
    arch: process.arch,
    os: file ? parseOsRelease(readFileSync(file, "utf8")) : null,
    apt: linux && available("apt-get") && available("dpkg-deb"),
    root,
    passwordlessSudo: linux && !root && available("sudo", ["-n", "true"]),
  };
}
