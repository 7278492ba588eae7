import facts from "virtual:facts";
import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { run } from "../engine/client.js";
import { SIDE } from "../engine/protocol.js";
import { announce } from "../parts/live.js";
import { Picture } from "../parts/picture.js";
import { subject } from "../state.js";
import { failure } from "./outcome.js";
import { className, heldOut } from "./subject.js";

/** How many held-out pictures are offered. */
const OFFERED = 10;

/** Takes a file: a picture, or a PNG of this page with its settings. */
export async function takeFile(file: File): Promise<void> {
  try {
    const { values, text } = await run({ kind: "read", bytes: new Uint8Array(await file.arrayBuffer()) }).result;
    failure.value = undefined;
    const taken = text["ncvsd-gpu:version"] && (await import("./dropped.js")).takeTexts(text);
    if (taken) {
      announce(taken);
      return;
    }
    subject.value = { kind: "own", values };
    announce("Your picture is on the desk.");
  } catch (error) {
    failure.value = `${file.name}: ${(error as Error).message}`;
  }
}

/** Held-out pictures, a file of one's own, the camera. */
export function Source() {
  const filming = useSignal(false);
  const input = useRef<HTMLInputElement>(null);
  const pictures = heldOut.value;
  const own = subject.value;
  return (
    <div class="source">
      <fieldset class="thumbs">
        <legend class="unseen">Held-out pictures, which the network has never seen</legend>
        {Array.from({ length: OFFERED }, (_, i) => (
          <button
            key={i}
            type="button"
            class="thumb"
            title={className(facts.heldOut[i]!)}
            aria-label={className(facts.heldOut[i]!)}
            aria-pressed={own.kind === "held-out" && own.index === i}
            onClick={() => {
              subject.value = { kind: "held-out", index: i };
            }}
          >
            <Picture values={pictures?.[i]} label="" />
          </button>
        ))}
      </fieldset>
      <div class="row">
        <button type="button" class="plain" onClick={() => input.current!.click()}>
          Open a picture
        </button>
        <input
          ref={input}
          type="file"
          accept="image/*"
          class="unseen"
          tabIndex={-1}
          aria-label="A picture of your own"
          onChange={(event) => {
            const file = event.currentTarget.files?.[0];
            event.currentTarget.value = "";
            if (file) void takeFile(file);
          }}
        />
        {"mediaDevices" in navigator && (
          <button
            type="button"
            class="plain"
            aria-pressed={filming.value}
            onClick={() => {
              filming.value = !filming.value;
            }}
          >
            Camera
          </button>
        )}
      </div>
      {filming.value && (
        <Camera
          close={() => {
            filming.value = false;
          }}
        />
      )}
    </div>
  );
}

function Camera({ close }: { close(): void }) {
  const video = useRef<HTMLVideoElement>(null);
  useEffect(() => {
    let stream: MediaStream | undefined;
    let gone = false;
    navigator.mediaDevices
      .getUserMedia({ video: { facingMode: "environment" } })
      .then((found) => {
        stream = found;
        if (gone) for (const track of found.getTracks()) track.stop();
        else video.current!.srcObject = found;
      })
      .catch(() => {
        failure.value = "The camera cannot be used: the browser or you did not allow it.";
        close();
      });
    return () => {
      gone = true;
      for (const track of stream?.getTracks() ?? []) track.stop();
    };
  }, []);
  const shoot = () => {
    const { videoWidth: w, videoHeight: h } = video.current!;
    const side = Math.min(w, h);
    // It has not begun yet.
    if (side === 0) return;
    const canvas = Object.assign(document.createElement("canvas"), { width: SIDE, height: SIDE });
    const context = canvas.getContext("2d")!;
    context.imageSmoothingQuality = "high";
    context.drawImage(video.current!, (w - side) / 2, (h - side) / 2, side, side, 0, 0, SIDE, SIDE);
    const { data } = context.getImageData(0, 0, SIDE, SIDE);
    const values = Float32Array.from({ length: SIDE * SIDE }, (_, i) => {
      const grey = 0.299 * data[4 * i]! + 0.587 * data[4 * i + 1]! + 0.114 * data[4 * i + 2]!;
      return Math.round(grey) / 127.5 - 1;
    });
    subject.value = { kind: "own", values };
    announce("Your picture is on the desk.");
    close();
  };
  return (
    <div class="camera">
      <video ref={video} autoPlay muted playsInline aria-label="What the camera sees" />
      <button type="button" class="plain" onClick={shoot}>
        Take this picture
      </button>
    </div>
  );
}
