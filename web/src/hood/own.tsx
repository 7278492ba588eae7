import { signal } from "@preact/signals";
import { useRef } from "preact/hooks";
import type { Own } from "../engine/protocol.js";
import { task } from "../parts/job.js";
import { Picture } from "../parts/picture.js";

const job = task<"own">();
const made = signal<(Own & { readonly name: string }) | undefined>(undefined);
const progress = signal(0);

/** Loads a network and draws four pictures with it. */
export async function takeNetwork(file: File): Promise<void> {
  progress.value = 0;
  const result = await job.start({ kind: "own", file, seeds: [0, 1, 2, 3] }, ({ done, total }) => {
    progress.value = done / total;
  });
  if (result) made.value = { ...result, name: file.name };
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
                label={`Picture ${i + 1} by ${now.name}`}
              />
            ))}
          </div>
          <figcaption>
            {now.name}: {now.architecture === "ncvsd" ? "a generative denoiser" : "an EDM2 network"} of{" "}
            {(now.parameters / 1e6).toFixed(1)} million parameters, {width} × {height}. Four pictures, {now.evaluations}{" "}
            evaluation
            {now.evaluations === 1 ? "" : "s"} each, {now.seconds.toFixed(1)} s.
          </figcaption>
        </figure>
      )}
    </div>
  );
}
