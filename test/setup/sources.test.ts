import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import type { OsRelease } from "../../src/setup/plan.js";
import { archiveSources, formatDeb822, parseDeb822, parseOneLine, readAptSources } from "../../src/setup/sources.js";

const BOOKWORM: OsRelease = { family: "debian", codename: "bookworm", version: 12 };
const KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg";

const DEB822 = `# a comment
Types: deb
# another, inside of an entry
URIs: http://mirror.example/debian
Suites: bookworm bookworm-updates
Components: main
Signed-By: ${KEYRING}

Types: deb deb-src
URIs: http://mirror.example/debian-security
Suites: bookworm-security
Components: main
Signed-By: ${KEYRING}
`;

it("reads the deb822 format: comments, several entries, sources-only and disabled ones", () => {
  const text = `${DEB822}
Types: deb-src
URIs: http://mirror.example/source
Suites: bookworm
Components: main

Enabled: no
Types: deb
URIs: http://mirror.example/off
Suites: bookworm
Components: main
`;
  expect(parseDeb822(text)).toEqual([
    {
      uris: ["http://mirror.example/debian"],
      suites: ["bookworm", "bookworm-updates"],
      components: ["main"],
      fields: { "Signed-By": KEYRING },
    },
    {
      uris: ["http://mirror.example/debian-security"],
      suites: ["bookworm-security"],
      components: ["main"],
      fields: { "Signed-By": KEYRING },
    },
  ]);
});

it("keeps a key that stands inside of a deb822 entry over several lines", () => {
  const text =
    "Types: deb\nURIs: http://m.example/debian\nSuites: bookworm\nComponents: main\nSigned-By:\n -----BEGIN\n .\n abc\n";
  const [source] = parseDeb822(text);
  expect(source?.fields["Signed-By"]).toBe("\n -----BEGIN\n .\n abc");
  expect(parseDeb822(formatDeb822([source!]))).toEqual([source]);
});

it("reads the one-line format with its options, and writes them under their deb822 names", () => {
  const text = `deb-src http://m.example/debian bookworm main
# deb http://off.example/debian bookworm main
deb [arch=amd64,arm64 signed-by=${KEYRING} check-valid-until=no] http://m.example/debian bookworm main contrib # note
`;
  const [source, ...more] = parseOneLine(text);
  expect(more).toEqual([]);
  expect(source).toEqual({
    uris: ["http://m.example/debian"],
    suites: ["bookworm"],
    components: ["main", "contrib"],
    fields: { Architectures: "amd64 arm64", "Signed-By": KEYRING, "Check-Valid-Until": "no" },
  });
  expect(formatDeb822([source!])).toBe(
    "Types: deb\nURIs: http://m.example/debian\nSuites: bookworm\nComponents: main contrib\n" +
      `Architectures: amd64 arm64\nSigned-By: ${KEYRING}\nCheck-Valid-Until: no\n`,
  );
});

it("adds the wanted suite to the archive's own entry and keeps its security entry", () => {
  const found = archiveSources(parseDeb822(DEB822), BOOKWORM, "bookworm-backports");
  expect(found.map((s) => s.suites)).toEqual([
    ["bookworm", "bookworm-updates", "bookworm-backports"],
    ["bookworm-security"],
  ]);
  expect(found[0]?.uris).toEqual(["http://mirror.example/debian"]);
  expect(found[0]?.fields["Signed-By"]).toBe(KEYRING);
});

it("does not add a suite that is there already, nor one when none is wanted", () => {
  const own = parseOneLine("deb http://m.example/debian bookworm main\n");
  expect(archiveSources(own, BOOKWORM, null)[0]?.suites).toEqual(["bookworm"]);
  const both = [{ ...own[0]!, suites: ["bookworm", "bookworm-backports"] }];
  expect(archiveSources(both, BOOKWORM, "bookworm-backports")[0]?.suites).toEqual(["bookworm", "bookworm-backports"]);
});

it("tells the archive from other vendors' repositories that use the same suite name", () => {
  const text = `deb [signed-by=/usr/share/keyrings/vendor.gpg] https://vendor.example/apt bookworm main
deb [signed-by=/usr/share/keyrings/other.gpg] https://other.example/linux/debian bookworm stable
deb http://m.example/debian bookworm main
deb http://m.example/debian bookworm-updates main
deb https://pg.example/pub bookworm-pgdg main
`;
  const found = archiveSources(parseOneLine(text), BOOKWORM, "bookworm-backports");
  expect(found.flatMap((s) => s.uris)).toEqual(["http://m.example/debian", "http://m.example/debian"]);
});

it("knows Ubuntu's archive and machines that follow a moving name", () => {
  const noble: OsRelease = { family: "ubuntu", codename: "noble", version: 24.04 };
  const ubuntu = parseOneLine("deb http://u.example/ubuntu noble main universe\ndeb http://ppa.example/x noble main\n");
  expect(archiveSources(ubuntu, noble, null).flatMap((s) => s.uris)).toEqual(["http://u.example/ubuntu"]);
  const sid: OsRelease = { family: "debian", codename: "forky", version: null };
  expect(archiveSources(parseOneLine("deb http://m.example/debian sid main\n"), sid, null)).toHaveLength(1);
});

it("finds nothing where there is no archive", () => {
  expect(archiveSources([], BOOKWORM, "bookworm-backports")).toEqual([]);
  expect(archiveSources(parseOneLine("deb http://m.example/debian trixie main"), BOOKWORM, null)).toEqual([]);
});

it("reads sources.list and sources.list.d in both formats, and other files not", () => {
  const etc = mkdtempSync(join(tmpdir(), "ncvsd-etc-"));
  try {
    expect(readAptSources(etc)).toEqual([]);
    writeFileSync(join(etc, "sources.list"), "deb http://a.example/debian bookworm main\n");
    mkdirSync(join(etc, "sources.list.d"));
    writeFileSync(join(etc, "sources.list.d/b.list"), "deb http://b.example/debian bookworm main\n");
    writeFileSync(join(etc, "sources.list.d/c.sources"), DEB822);
    writeFileSync(join(etc, "sources.list.d/d.list.disabled"), "deb http://d.example/debian bookworm main\n");
    expect(readAptSources(etc).flatMap((s) => s.uris)).toEqual([
      "http://a.example/debian",
      "http://b.example/debian",
      "http://mirror.example/debian",
      "http://mirror.example/debian-security",
    ]);
  } finally {
    rmSync(etc, { recursive: true });
  }
});
