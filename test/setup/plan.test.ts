import { describe, expect, it } from "vitest";
import { installArguments, privateAptOptions } from "../../src/setup/apt.js";
import { complaint, run } from "../../src/setup/command.js";
import { type Facts, mesaSuite, parseOsRelease, planSetUp } from "../../src/setup/plan.js";

const DEBIAN12 =
  'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nVERSION_ID="12"\nVERSION_CODENAME=bookworm\nID=debian\n';

const bare: Facts = {
  platform: "linux",
  arch: "x64",
  os: { family: "debian", codename: "bookworm", version: 12 },
  apt: true,
  root: false,
  passwordlessSudo: false,
};

describe("what is tried, in order", () => {
  it("root, or sudo without a password: system packages first", () => {
    expect(planSetUp({ ...bare, root: true })).toEqual(["apt", "unpack", "swiftshader"]);
    expect(planSetUp({ ...bare, passwordlessSudo: true })).toEqual(["apt", "unpack", "swiftshader"]);
  });
  it("no root: nothing outside of the user's cache", () => {
    expect(planSetUp(bare)).toEqual(["unpack", "swiftshader"]);
  });
  it("SwiftShader is there for x64 only", () => {
    expect(planSetUp({ ...bare, arch: "arm64" })).toEqual(["unpack"]);
  });
  it("a Linux without apt, or with a Mesa that Dawn refuses: SwiftShader, even for root", () => {
    expect(planSetUp({ ...bare, apt: false, root: true })).toEqual(["swiftshader"]);
    expect(planSetUp({ ...bare, os: null, root: true })).toEqual(["swiftshader"]);
    const jammy = { family: "ubuntu", codename: "jammy", version: 22.04 } as const;
    expect(planSetUp({ ...bare, os: jammy, root: true })).toEqual(["swiftshader"]);
  });
  it("nothing on macOS and Windows", () => {
    expect(planSetUp({ ...bare, platform: "darwin", os: null, apt: false, root: true })).toEqual([]);
    expect(planSetUp({ ...bare, platform: "win32", os: null, apt: false })).toEqual([]);
  });
});

describe("the suite that has a Mesa which Dawn accepts", () => {
  const suite = (text: string) => mesaSuite(parseOsRelease(text)!);
  it("Debian 12 needs its backports, Debian 13 does not, Debian 11 has none", () => {
    expect(suite(DEBIAN12)).toBe("bookworm-backports");
    expect(suite("ID=debian\nVERSION_ID='13'\nVERSION_CODENAME=trixie\n")).toBeNull();
    expect(suite("ID=debian\nVERSION_CODENAME=forky\n")).toBeNull();
    expect(suite('ID=debian\nVERSION_ID="11"\nVERSION_CODENAME=bullseye\n')).toBeUndefined();
  });
  it("Ubuntu from 24.04 on", () => {
    expect(
      suite('ID=ubuntu\nID_LIKE=debian\nVERSION_ID="24.04"\nVERSION_CODENAME=noble\nUBUNTU_CODENAME=noble\n'),
    ).toBeNull();
    expect(suite('ID=ubuntu\nID_LIKE=debian\nVERSION_ID="22.04"\nUBUNTU_CODENAME=jammy\n')).toBeUndefined();
  });
  it("derivatives count by the release they are made from, not by their own version", () => {
    expect(suite('ID=linuxmint\nID_LIKE="ubuntu debian"\nVERSION_ID="22"\nUBUNTU_CODENAME=noble\n')).toBeNull();
    expect(suite('ID=linuxmint\nID_LIKE="ubuntu debian"\nVERSION_ID="21"\nUBUNTU_CODENAME=jammy\n')).toBeUndefined();
    expect(suite("ID=lmde\nID_LIKE=debian\nVERSION_ID=6\nVERSION_CODENAME=faye\nDEBIAN_CODENAME=bookworm\n")).toBe(
      "bookworm-backports",
    );
  });
  it("other families are left alone", () => {
    expect(parseOsRelease('ID=fedora\nVERSION_ID=42\nVERSION_CODENAME=""\n')).toBeNull();
    expect(parseOsRelease("")).toBeNull();
  });
});

describe("apt's arguments", () => {
  const values = (options: string[]) =>
    Object.fromEntries(options.filter((o) => o !== "-o").map((o) => o.split(/=(.*)/)));
  it("never read or write the machine's own sources, lists and downloads", () => {
    for (const privileged of [true, false]) {
      const set = values(privateAptOptions("/private", privileged));
      expect(set["Dir::Etc::sourcelist"]).toBe("/dev/null");
      expect(set["Dir::Etc::sourceparts"]).toBe("/private/sources.d");
      expect(set["Dir::State::lists"]).toBe("/private/lists");
      expect(set["Dir::Cache"]).toBe("/private/cache");
    }
  });
  it("wait for another apt as root; without root, keep all state private but know what is installed", () => {
    expect(Number(values(privateAptOptions("/p", true))["DPkg::Lock::Timeout"])).toBeGreaterThanOrEqual(60);
    expect(values(privateAptOptions("/p", true))["Dir::State"]).toBeUndefined();
    const user = values(privateAptOptions("/p", false));
    expect(user["Dir::State"]).toBe("/p/state");
    expect(user["Dir::State::status"]).toBe("/var/lib/dpkg/status");
    expect(user["Debug::NoLocking"]).toBe("1");
  });
  it("ask nothing, remove nothing, name the suite only where one is needed", () => {
    const backports = installArguments("bookworm-backports");
    expect(backports).toEqual(expect.arrayContaining(["-y", "--no-remove", "--no-install-recommends", "install"]));
    expect(backports.slice(backports.indexOf("-t"), backports.indexOf("-t") + 2)).toEqual(["-t", "bookworm-backports"]);
    expect(installArguments(null)).not.toContain("-t");
    expect(installArguments(null).slice(-2)).toEqual(["mesa-vulkan-drivers", "libvulkan1"]);
  });
});

describe("programs that fail", () => {
  it("are quoted by their own error lines", () => {
    const stdout = "Reading package lists...\nE: Unable to locate package x\nE: No such thing\n";
    expect(complaint({ code: 100, stdout, stderr: "" })).toBe("E: Unable to locate package x; E: No such thing");
    expect(complaint({ code: 1, stdout: "a\nb\n", stderr: "c\n" })).toBe("b; c");
    expect(complaint({ code: 7, stdout: "", stderr: "" })).toBe("exit code 7");
  });
  it("do not throw, whether missing, failing, killed or too slow", async () => {
    expect((await run("/nonexistent/program", [])).stderr).toContain("ENOENT");
    expect((await run(process.execPath, ["-e", "process.exit(3)"])).code).toBe(3);
    expect((await run(process.execPath, ["-e", "process.kill(process.pid, 'SIGSEGV')"])).stderr).toContain("SIGSEGV");
    const slow = await run(process.execPath, ["-e", "setTimeout(() => {}, 60000)"], { timeout: 300 });
    expect(slow.code).toBeNull();
  });
  it("get no stdin and speak English", async () => {
    const code = "process.stdin.on('end', () => console.log(process.env.LC_ALL)).resume()";
    expect((await run(process.execPath, ["-e", code], { env: { ...process.env, LC_ALL: "de_DE" } })).stdout).toBe(
      "C.UTF-8\n",
    );
  });
});
