import { createHash } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** A server that behaves like a hub: names that redirect to storage, ranges, ETags, and whatever goes wrong on request. */
export interface Hub {
  readonly address: string;
  /** Of every request: method, path, range. */
  readonly log: string[];
  readonly files: Map<string, Uint8Array>;
  /** Answers of a request in place of the usual one; the first that returns true has answered. */
  faults: ((request: IncomingMessage, response: ServerResponse) => boolean)[];
  close(): void;
}

const tagOf = (bytes: Uint8Array) => `"${createHash("md5").update(bytes).digest("hex")}"`;

export async function openHub(files: Record<string, Uint8Array>, { ranges = true } = {}): Promise<Hub> {
  const hub = { files: new Map(Object.entries(files)), log: [] as string[], faults: [] as Hub["faults"] };
  const server = createServer((request, response) => {
    const path = decodeURIComponent(new URL(request.url!, "http://hub").pathname);
    hub.log.push(`${request.method} ${path}${request.headers.range ? ` ${request.headers.range}` : ""}`);
    const fault = hub.faults.findIndex((answer) => answer(request, response));
    if (fault >= 0) {
      hub.faults.splice(fault, 1);
      return;
    }
    const named = /^\/([^/]+\/[^/]+)\/resolve\/main\/(.+)$/.exec(path);
    if (named) {
      response.writeHead(302, { Location: `/storage/${named[1]}/${named[2]}` }).end();
      return;
    }
    const listed = /^\/api\/models\/([^/]+\/[^/]+)\/revision\/main$/.exec(path);
    if (listed) {
      const siblings = [...hub.files.keys()].flatMap((name) =>
        name.startsWith(`${listed[1]}/`) ? [{ rfilename: name.slice(listed[1]!.length + 1) }] : [],
      );
      if (siblings.length === 0) response.writeHead(404).end();
      else response.end(JSON.stringify({ siblings }));
      return;
    }
    const bytes = hub.files.get(path.replace(/^\/storage\//, ""));
    if (!bytes) {
      response.writeHead(404).end("<html>");
      return;
    }
    const ETag = tagOf(bytes);
    const match = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? "");
    const fresh = request.headers["if-range"] === undefined || request.headers["if-range"] === ETag;
    if (!ranges || !match || !fresh) {
      response.writeHead(200, { ETag, "Content-Length": bytes.length }).end(bytes);
      return;
    }
    const from = Number(match[1]);
    const to = Math.min(match[2] === "" ? bytes.length - 1 : Number(match[2]), bytes.length - 1);
    if (from >= bytes.length) {
      response.writeHead(416, { "Content-Range": `bytes */${bytes.length}` }).end();
      return;
    }
    response.writeHead(206, {
      ETag,
      "Content-Range": `bytes ${from}-${to}/${bytes.length}`,
      "Content-Length": to - from + 1,
    });
    response.end(bytes.subarray(from, to + 1));
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return Object.assign(hub, {
    address,
    close() {
      server.closeAllConnections();
      server.close();
    },
  });
}
