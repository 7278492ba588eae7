import { signal } from "@preact/signals";
import { useRef } from "preact/hooks";
import { network } from "../desk/network.js";
import { type Own, SIDE } from "../engine/protocol.js";
import { task } from "../parts/job.js";
import { announce } from "../parts/live.js";
import { Picture } from "../parts/picture.js";

const job = task<"own">();
const made = signal<(Own & { readonly file: File }) | undefined>(undefined);
const progress = signal(0);

/** Loads a network and draws four pictures with it. */
export async function takeNetwork(file: File): Promise<void> {
  progress.value = 0;
  // It may have been dropped elsewhere on the page.
  document.getElementById("own")?.scrollIntoView({ block: "nearest" });
  announce(`Loading ${file.name}.`);
  const result = await job.start({ kind: "own", file, seeds: [0, 1, 2, 3] }, ({ done, total }) => {
    progress.value = done / total;
  });
  if (!result) return;
  made.value = { ...result, file };
  announce(`${result.shape[0]} pictures by ${file.name}.`);
}

/** Why the desk cannot draw with a network; undefined: it can. */
function unfit({ architecture, shape: [, channels, height, width] }: Own): string | undefined {
  if (architecture !== "ncvsd")
    return "it gives means, and the desk needs draws: those of a generative denoiser (NCVSD)";
  if (channels === 1 && height === SIDE && width === SIDE) return undefined;
  const what = `${width} × ${height} with ${channels} channel${channels === 1 ? "" : "s"}`;
  return `its pictures are ${what}, and those of the desk ${SIDE} × ${SIDE} in grey`;
}

/** A network that fits is used on the desk where the visitor wants it. */
function ForDesk({ of }: { of: Own & { readonly file: File } }) {
  const why = unfit(of);
  if (why) return <p class="hint">The desk cannot draw with it: {why}.</p>;
  const used = network.value === of.file;
  return (
    <button
      type="button"
      class="plain"
      aria-pressed={used}
      onClick={() => {
        network.value = used ? undefined : of.file;
        announce(used ? "The desk draws with the page's own network." : `The desk draws with ${of.file.name}.`);
      }}
    >
      Use it on the desk
    </button>
  );
}

/** A network of the visitor's own. */
export function OwnNetwork() {
  const input = useRef<HTMLInputElement>(null);
  const now = made.value;
  const [, channels, height, width] = now?.shape ?? [0, 1, 1, 1];
  const size = channels * height * width;
  return (
    <div class="panel">
      <div class="row">
        <button type="button" class="plain" disabled={job.busy.value} onClick={() => input.current!.click()}>
          Open a network
        </button>
        <input
          ref={input}
          type="file"
          accept=".safetensors,.pkl"
          class="unseen"
          tabIndex={-1}
          aria-label="A network of your own"
          onChange={(event) => {
            const file = event.currentTarget.files?.[0];
            event.currentTarget.value = "";
            if (file) void takeNetwork(file);
          }}
        />
        {job.busy.value && (
          <>
            <progress max={1} value={progress.value} aria-label="The network is being loaded" />
            <button type="button" class="plain" onClick={() => job.stop()}>
              Stop
            </button>
          </>
        )}
      </div>
      {job.trouble.value && (
        <p class="trouble" role="alert">
          {job.trouble.value}
        </p>
      )}
      {now && (
        <figure class="sheet">
          <div>
            {Array.from({ length: now.shape[0] }, (_, i) => (
              <Picture
                key={i}
                values={now.images.subarray(i * size, (i + 1) * size)}
                width={width}
                height={height}
                channels={channels}
                label={`Picture ${i + 1} by ${now.file.name}`}
              />
            ))}
          </div>
          <figcaption>
            {now.file.name}: {now.architecture === "ncvsd" ? "a generative denoiser" : "an EDM2 network"} of{" "}
            {(now.parameters / 1e6).toFixed(1)} million parameters, {width} × {height}. Four pictures, {now.evaluations}{" "}
            evaluation
            {now.evaluations === 1 ? "" : "s"} each, {now.seconds.toFixed(1)} s.
            {channels !== 1 && channels !== 3 && " These are latents: their first channel is shown."}
          </figcaption>
        </figure>
      )}
      {now && <ForDesk of={now} />}
    </div>
  );
}
