import { effect } from "@preact/signals";
import { Desk } from "./desk/desk.js";
import { takeFile } from "./desk/source.js";
import { loadHeldOut } from "./desk/subject.js";
import { open, status } from "./engine/client.js";
import { EngineStatus } from "./engine-status.js";
import { Hero } from "./generate/hero.js";
import { greet, hero } from "./generate/sheet.js";
import { LiveRegion } from "./parts/live.js";
import { mount } from "./parts/mount.js";
import { recorded, showRecorded } from "./recorded.js";
import { followAddress } from "./state.js";

const isNetwork = (file: File) => /\.(safetensors|pkl)$/i.test(file.name);

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
    if (file) void (isNetwork(file) ? import("./hood/own.js").then((own) => own.takeNetwork(file)) : takeFile(file));
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
  void import("./more.js").then(({ mountMore }) => mountMore());
  const stop = effect(() => {
    if (status.value.phase !== "ready") return;
    queueMicrotask(() => stop());
    void greet(hero.peek()!.images);
  });
  if ("serviceWorker" in navigator && import.meta.env.OFFLINE)
    navigator.serviceWorker.register("./sw.js").catch(() => {});
}

void begin();
