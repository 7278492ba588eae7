import { createHash } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import type { IncomingMessage, ServerResponse } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { openCheckpoint, openSource, writeSafetensors } from "../../src/checkpoint/index.js";
import { type Hub, openHub } from "../support/hub.js";

/** A checkpoint with a tensor of so many floats, which tell which version it is. */
const network = (floats: number, version = 1) =>
  writeSafetensors([
    { name: "gain", dtype: "F32", shape: [1], data: Float32Array.of(version) },
    { name: "w", dtype: "F32", shape: [floats], data: new Float32Array(floats).fill(version) },
  ]);
const MIB = 2 ** 20;
const large = network(MIB);
const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

let folder: string;
let hub: Hub;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "ncvsd-models-"));
  vi.stubEnv("NCVSD_MODELS", folder);
});
afterEach(() => {
  vi.unstubAllEnvs();
  hub.close();
  rmSync(folder, { recursive: true, force: true });
});

async function serve(files: Record<string, Uint8Array>, options?: { ranges: boolean }): Promise<void> {
  hub = await openHub(files, options);
  vi.stubEnv("HF_ENDPOINT", hub.address);
}

/** The version that is read under an address. */
async function read(address: string, options = {}): Promise<number> {
  const checkpoint = await openCheckpoint(address, options);
  try {
    const w = await checkpoint.readF32("w");
    expect(w.every((v) => v === w[0])).toBe(true);
    return w[0]!;
  } finally {
    await checkpoint.close();
  }
}

const asking = () => hub.log.filter((line) => line.includes("/storage/"));

describe("a file behind an address", () => {
  it("is fetched with two requests, and the second time with one for a byte", async () => {
    await serve({ "a/b/w.safetensors": large });
    const url = `${hub.address}/storage/a/b/w.safetensors?token=secret`;
    const progress: number[] = [];
    expect(await read(url, { onBytes: (done: number) => progress.push(done) })).toBe(1);
    expect(asking()).toHaveLength(2);
    expect(progress.at(-1)).toBe(large.length);
    expect(progress).toEqual([...progress].sort((a, b) => a - b));
    expect(await read(url)).toBe(1);
    expect(asking().slice(2)).toEqual(["GET /storage/a/b/w.safetensors bytes=0-0"]);
    const checkpoint = await openCheckpoint(url);
    expect(checkpoint.name).not.toContain("secret");
    await checkpoint.close();
  });

  it("gives its header for a mebibyte, and is not kept for that", async () => {
    await serve({ "a/b/w.safetensors": large });
    const checkpoint = await openCheckpoint(`${hub.address}/storage/a/b/w.safetensors`);
    expect(checkpoint.tensors.get("w")!.shape).toEqual([MIB]);
    expect([...(await checkpoint.readF32("gain"))]).toEqual([1]);
    expect(asking()).toEqual(["GET /storage/a/b/w.safetensors bytes=0-1048575"]);
    expect(readdirSync(folder)).toEqual([]);
    await checkpoint.close();
  });

  it("comes whole from a server that knows no ranges, with one request", async () => {
    await serve({ "a/b/w.safetensors": large }, { ranges: false });
    expect(await read(`${hub.address}/storage/a/b/w.safetensors`)).toBe(1);
    expect(asking()).toHaveLength(1);
  });

  it("is fetched again when the server has another version, and not when it cannot be reached", async () => {
    await serve({ "a/b/w.safetensors": large });
    const url = `${hub.address}/storage/a/b/w.safetensors`;
    expect(await read(url)).toBe(1);
    hub.files.set("a/b/w.safetensors", network(MIB, 2));
    expect(await read(url, { offline: true })).toBe(1);
    expect(await read(url)).toBe(2);
    hub.close();
    expect(await read(url)).toBe(2);
    await expect(read(`${hub.address}/storage/other`, { offline: true })).rejects.toThrow(/not kept on this machine/);
  });

  it("that is replaced while it is read is not mixed with the other", async () => {
    await serve({ "a/b/w.safetensors": large });
    const checkpoint = await openCheckpoint(`${hub.address}/storage/a/b/w.safetensors`);
    hub.files.set("a/b/w.safetensors", network(MIB, 2));
    await expect(checkpoint.readF32("w")).rejects.toThrow(/was replaced on the server/);
  });

  it("that is small needs one request", async () => {
    await serve({ "a/b/w.safetensors": network(10) });
    expect(await read(`${hub.address}/storage/a/b/w.safetensors`)).toBe(1);
    expect(asking()).toHaveLength(1);
    const source = await openSource(`${hub.address}/storage/a/b/w.safetensors`, { offline: true });
    expect(source.size).toBe(network(10).length);
    await source.close();
  });

  it("is fetched once for two who want it at the same time", async () => {
    await serve({ "a/b/w.safetensors": large });
    const url = `${hub.address}/storage/a/b/w.safetensors`;
    expect(await Promise.all([read(url), read(url)])).toEqual([1, 1]);
    expect(asking().filter((line) => !line.endsWith("-1048575"))).toHaveLength(1);
  });

  it("with another SHA-256 than is asked for is refused and forgotten", async () => {
    await serve({ "a/b/w.safetensors": large });
    const url = `${hub.address}/storage/a/b/w.safetensors`;
    await expect(read(url, { sha256: sha256(network(3)) })).rejects.toThrow(/SHA-256 [0-9a-f]{64} where/);
    expect(readdirSync(folder)).toEqual([]);
    expect(await read(url, { sha256: sha256(large).toUpperCase() })).toBe(1);
    // With the sum known nobody has to be asked.
    hub.log.length = 0;
    expect(await read(url, { sha256: sha256(large) })).toBe(1);
    expect(hub.log).toEqual([]);
  });

  it("is kept in memory where nothing may be kept", async () => {
    vi.stubEnv("NCVSD_MODELS", "off");
    await serve({ "a/b/w.safetensors": large });
    expect(await read(`${hub.address}/storage/a/b/w.safetensors`)).toBe(1);
    expect(readdirSync(folder)).toEqual([]);
  });
});

describe("what goes wrong on the way", () => {
  const url = () => `${hub.address}/storage/a/b/w.safetensors`;
  /** Sends so many bytes of the answer, then cuts the connection. */
  const cut = (after: number) => (request: IncomingMessage, response: ServerResponse) => {
    const from = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? "")?.[1] ?? Number.NaN);
    if (Number.isNaN(from)) return false;
    const { length } = large;
    const tag = `"${createHash("md5").update(large).digest("hex")}"`;
    response.writeHead(206, {
      ETag: tag,
      "Content-Range": `bytes ${from}-${length - 1}/${length}`,
      "Content-Length": length - from,
    });
    response.write(large.subarray(from, from + after), () => setTimeout(() => response.destroy(), 50));
    return true;
  };

  it("a connection that is cut is taken up where it stopped", async () => {
    await serve({ "a/b/w.safetensors": large });
    hub.faults = [cut(500_000), cut(300_000)];
    expect(await read(url())).toBe(1);
    const starts = asking().map((line) => Number(/bytes=(\d+)-/.exec(line)![1]));
    expect(starts).toHaveLength(4);
    expect(starts[2]).toBeGreaterThan(MIB);
    expect(starts[3]).toBeGreaterThan(starts[2]!);
  });

  it("another process takes up what one that is gone has left", async () => {
    await serve({ "a/b/w.safetensors": large });
    // As a process of that number would have left it: none has it.
    const key = `${createHash("sha256").update(url()).digest("hex").slice(0, 16)}-w.safetensors`;
    const tag = `"${createHash("md5").update(large).digest("hex")}"`;
    writeFileSync(join(folder, `${key}.4194303.part`), large.subarray(0, 3 * MIB));
    writeFileSync(
      join(folder, `${key}.4194303.part.json`),
      JSON.stringify({ url: url(), size: large.length, tag, sha256: null }),
    );
    expect(await read(url())).toBe(1);
    expect(asking()[1]).toBe(`GET /storage/a/b/w.safetensors bytes=${3 * MIB}-`);
    expect(readdirSync(folder).sort()).toEqual([key, `${key}.json`]);
    expect(readFileSync(join(folder, key)).equals(large)).toBe(true);
  });

  it("a busy server is asked again, one that refuses is not", async () => {
    await serve({ "a/b/w.safetensors": network(10) });
    const status =
      (code: number, headers = {}) =>
      (_: unknown, response: ServerResponse) => {
        response.writeHead(code, headers).end();
        return true;
      };
    hub.faults = [status(503, { "Retry-After": "0" }), status(429)];
    expect(await read(url())).toBe(1);
    expect(asking()).toHaveLength(3);
    hub.log.length = 0;
    await expect(read(`${hub.address}/storage/nothing`)).rejects.toThrow(/answered 404.*check the address/);
    hub.faults = [status(401)];
    await expect(read(`${hub.address}/storage/gated`)).rejects.toThrow(/HF_TOKEN/);
    expect(asking()).toHaveLength(2);
  });

  it("other bytes than were asked for are refused", async () => {
    await serve({ "a/b/w.safetensors": large });
    hub.faults = [
      (_, response) => {
        response.writeHead(206, { "Content-Range": `bytes 5-14/${large.length}` }).end(large.subarray(5, 15));
        return true;
      },
    ];
    await expect(read(url())).rejects.toThrow(/other bytes than were asked for/);
  });

  it("nobody is there", async () => {
    await serve({});
    await expect(openCheckpoint("http://127.0.0.1:1/w")).rejects.toMatchObject({
      code: "BAD_CHECKPOINT",
      message: expect.stringMatching(/cannot be fetched/),
    });
  });

  it("the caller stops: what arrived stays for the next time", async () => {
    await serve({ "a/b/w.safetensors": large });
    const stop = new AbortController();
    const onBytes = (done: number) => {
      if (done > 2 * MIB) stop.abort(new Error("enough"));
    };
    await expect(read(url(), { signal: stop.signal, onBytes })).rejects.toThrow("enough");
    expect(readdirSync(folder).some((name) => name.endsWith(".part"))).toBe(true);
    hub.log.length = 0;
    expect(await read(url())).toBe(1);
    expect(Number(/bytes=(\d+)-/.exec(asking()[1]!)![1])).toBeGreaterThan(2 * MIB);
  });
});

describe("hub addresses", () => {
  it("lead through the hub to the file", async () => {
    await serve({ "owner/net/sub/w.safetensors": network(10) });
    expect(await read("hf://owner/net/sub/w.safetensors")).toBe(1);
    expect(hub.log[0]).toBe("GET /owner/net/resolve/main/sub/w.safetensors bytes=0-1048575");
  });

  it("may leave out the file where there is one network, and the hub where there is no such file", async () => {
    await serve({
      "owner/net/w.safetensors": network(10),
      "owner/net/w.pkl": new Uint8Array(3),
      "owner/two/a.safetensors": network(10),
      "owner/two/b.safetensors": network(10),
    });
    expect(await read("hf://owner/net")).toBe(1);
    expect(await read("owner/net")).toBe(1);
    await expect(read("hf://owner/two")).rejects.toThrow(/2 networks: name one, such as hf:\/\/owner\/two\/a/);
    await expect(read("owner/none")).rejects.toThrow(/answered 404/);
    await expect(read("owner/net", { offline: true })).rejects.toThrow(/name the file/);
  });

  it("tell the token to the hub alone", async () => {
    await serve({ "owner/net/w.safetensors": network(10) });
    vi.stubEnv("HF_TOKEN", "hf_secret");
    const told: (string | undefined)[] = [];
    hub.faults = Array(2).fill((request: IncomingMessage) => {
      told.push(request.headers.authorization);
      return false;
    });
    await read("hf://owner/net/w.safetensors");
    expect(told[0]).toBe("Bearer hf_secret");
    const other = await openHub({ "a/w": network(10) });
    let foreign: string | undefined = "not asked";
    other.faults = [
      (request) => {
        foreign = request.headers.authorization;
        return false;
      },
    ];
    await read(`${other.address}/storage/a/w`);
    other.close();
    expect(foreign).toBeUndefined();
  });

  it("find the shards beside an index", async () => {
    const index = { weight_map: { gain: "n-00001-of-00001.safetensors", w: "n-00001-of-00001.safetensors" } };
    await serve({
      "owner/net/n.safetensors.index.json": new TextEncoder().encode(JSON.stringify(index)),
      "owner/net/n-00001-of-00001.safetensors": network(10),
    });
    expect(await read("hf://owner/net")).toBe(1);
  });
});
