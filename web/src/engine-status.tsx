import facts from "virtual:facts";
import { again, status } from "./engine/client.js";

const mega = (bytes: number) => `${(bytes / 1e6).toFixed(1)} MB`;

/** What to do, for each thing that can go wrong, in plain words. */
const TROUBLE: Record<string, readonly [what: string, then: string, again?: string]> = {
  NO_WEBGPU: [
    "This browser has no WebGPU, so nothing can be computed here.",
    "A recent Chrome, Edge, Safari or Firefox has it. All that you see meanwhile was recorded earlier.",
  ],
  INSECURE: [
    "Browsers offer WebGPU only to pages that come by https or from this computer itself (localhost).",
    "All that you see meanwhile was recorded earlier.",
  ],
  WORKER: [
    "The part of this page that computes could not be started.",
    "Reloading the page helps where a file of it was missing.",
    "Start it again",
  ],
  NO_ADAPTER: [
    "The browser has WebGPU, but offers no graphics adapter: it may be blocked for this driver, or switched off.",
    "Switching on hardware acceleration in the browser's settings, or a newer graphics driver, helps most often; the browser's page about the GPU (chrome://gpu, about:support) says why. All that you see meanwhile was recorded earlier.",
    "Look again",
  ],
  DEVICE_LOST: [
    "The graphics device was lost twice: the driver was restarted, or something else needed it.",
    "What is on the desk is kept.",
    "Open it again",
  ],
  OUT_OF_MEMORY: ["The graphics device has too little memory for this.", "Fewer samples need less.", "Try again"],
  DOWNLOAD: [
    `The network (${mega(facts.checkpoint.bytes)}) could not be fetched.`,
    "The connection may be down.",
    "Fetch it again",
  ],
};

/** How the engine is, in a line. */
export function EngineStatus() {
  const now = status.value;
  if (now.phase === "failed") {
    const [what, then, button] = TROUBLE[now.code] ?? [now.message, "", "Try again"];
    return (
      <div class="engine trouble" role="alert">
        <span>
          <b>{what}</b> {then}
        </span>
        {button && (
          <button type="button" class="plain" onClick={again}>
            {button}
          </button>
        )}
      </div>
    );
  }
  if (now.phase === "fetching")
    return (
      <div class="engine">
        <progress max={now.total} value={now.bytes} aria-label="The network is being fetched" />
        <span>
          Fetching the network: {mega(now.bytes)} of {mega(now.total)}
        </span>
      </div>
    );
  const words = {
    starting: "Looking for your GPU …",
    preparing: "Putting the network on your GPU …",
    reopening: "The graphics device was lost; it is being opened again …",
    ready: "",
  }[now.phase];
  return (
    <div class="engine">
      <i class={now.phase === "ready" ? "lamp on" : "lamp"} />
      <span>
        {now.phase === "ready"
          ? `Runs on ${now.adapter}${now.software ? ", a software adapter" : ""}, in this page${now.reopened ? "; it was lost, and opened again" : ""}`
          : words}
      </span>
    </div>
  );
}
