import { effect } from "@preact/signals";
import { type ComponentChild, render } from "preact";
import { Desk } from "./desk/desk.js";
import { takeFile } from "./desk/source.js";
import { loadHeldOut } from "./desk/subject.js";
import { open, status } from "./engine/client.js";
import { EngineStatus } from "./engine-status.js";
import { Hero } from "./generate/hero.js";
import { greet, hero } from "./generate/sheet.js";
import { LiveRegion } from "./parts/live.js";
import { recorded, showRecorded } from "./recorded.js";
import { followAddress } from "./state.js";

function mount(id: string, what: ComponentChild): void {
  const place = document.getElementById(id)!;
  place.replaceChildren();
  render(what, place);
}

/** A file dropped anywhere is taken. */
function takeDrops(): void {
  addEventListener("dragover", (event) => {
    event.preventDefault();
    document.body.classList.add("dropping");
  });
  for (const end of ["dragleave", "drop"]) addEventListener(end, () => document.body.classList.remove("dropping"));
  addEventListener("drop", (event) => {
    event.preventDefault();
    const file = event.dataTransfer?.files[0];
    if (file) void takeFile(file);
  });
}

async function begin(): Promise<void> {
  followAddress();
  open();
  const stored = Promise.all([loadHeldOut(), recorded.load()]);
  mount("engine", <EngineStatus />);
  mount("live", <LiveRegion />);
  await stored;
  showRecorded();
  mount("hero-sheet", <Hero />);
  mount("desk", <Desk />);
  takeDrops();
  const stop = effect(() => {
    if (status.value.phase !== "ready") return;
    queueMicrotask(() => stop());
    void greet(hero.peek()!.images);
  });
  if ("serviceWorker" in navigator && import.meta.env.PROD) navigator.serviceWorker.register("./sw.js").catch(() => {});
}

void begin();
