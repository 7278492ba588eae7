import { effect } from "@preact/signals";
import { Desk } from "./desk/desk.js";
import { failure } from "./desk/outcome.js";
import { takeFile } from "./desk/source.js";
import { loadHeldOut } from "./desk/subject.js";
import { open, status } from "./engine/client.js";
import { EngineStatus } from "./engine-status.js";
import { Hero } from "./generate/hero.js";
import { greet, hero } from "./generate/sheet.js";
import { announce, LiveRegion } from "./parts/live.js";
import { mount } from "./parts/mount.js";
import { recorded, showRecorded } from "./recorded.js";
import { followAddress } from "./state.js";

const isNetwork = (file: File) => /\.(safetensors|pkl)$/i.test(file.name);

/** A file dropped anywhere is taken. */
function takeDrops(): void {
  const hasFile = (event: DragEvent) => event.dataTransfer?.types.includes("Files") === true;
  addEventListener("dragover", (event) => {
    if (!hasFile(event)) return;
    event.preventDefault();
    document.body.classList.add("dropping");
  });
  for (const end of ["dragleave", "drop"]) addEventListener(end, () => document.body.classList.remove("dropping"));
  addEventListener("drop", (event) => {
    if (!hasFile(event)) return;
    event.preventDefault();
    const file = event.dataTransfer?.files[0];
    if (file) void (isNetwork(file) ? import("./hood/own.js").then((own) => own.takeNetwork(file)) : takeFile(file));
  });
}

/** Files for the next visit are fetched when the first network is there, or nothing will come: not beside it. */
function keepFiles(): void {
  let asked = false;
  effect(() => {
    if (asked || !["ready", "failed"].includes(status.value.phase)) return;
    asked = true;
    navigator.serviceWorker.register("./sw.js").catch(() => {});
  });
}

async function begin(): Promise<void> {
  followAddress();
  open();
  const examples = loadHeldOut().catch(() => {
    failure.value = "The held-out pictures could not be fetched: open a picture of your own, or reload the page.";
  });
  const stored = Promise.all([examples, recorded.load()]);
  mount("engine", <EngineStatus />);
  mount("live", <LiveRegion />);
  await stored;
  showRecorded();
  mount("hero-sheet", <Hero />);
  mount("desk", <Desk />);
  takeDrops();
  effect(() => {
    if (status.value.phase === "ready") announce(`Ready: runs on ${status.value.adapter}.`);
    else if (status.value.phase === "reopening") announce("The graphics device was lost; it is being opened again.");
  });
  void import("./more.js").then(({ mountMore }) => mountMore());
  const stop = effect(() => {
    if (status.value.phase !== "ready") return;
    queueMicrotask(() => stop());
    void greet(hero.peek()!.images);
  });
  if ("serviceWorker" in navigator && import.meta.env.OFFLINE) keepFiles();
}

void begin();
