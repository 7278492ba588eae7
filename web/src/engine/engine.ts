import { type Gpu, loadModel, type Model, NcvsdError, openGpu } from "ncvsd-gpu";
import { network } from "./network.js";
import type { Failure, Jobs, Kind, Status } from "./protocol.js";

const DISTILLED = new URL("../../../weights/ncvsd-fashion32.safetensors", import.meta.url);
const TEACHER = new URL("../../../weights/edm2-fashion32.safetensors", import.meta.url);

export interface Ready {
  readonly gpu: Gpu;
  readonly model: Model;
}

/** What went wrong, for the page: the library's codes, and "STOPPED" where the visitor stopped it. */
export function failureOf(error: unknown, signal?: AbortSignal): Failure {
  if (signal?.aborted) return { code: "STOPPED", message: "Stopped." };
  const code = error instanceof NcvsdError ? error.code : ((error as { code?: unknown }).code ?? "ERROR");
  return { code: String(code), message: error instanceof Error ? error.message : String(error) };
}

/** What a job is given: `engine`, or what stands in its place. */
export interface Context<K extends Kind> {
  readonly engine: Pick<Engine, "ready" | "teacher">;
  readonly signal: AbortSignal;
  tell(event: Jobs[K]["event"]): void;
}

/** Browsers often say a maker and a family, and no name. */
export function adapterName({ info }: Gpu): string {
  const { name, device, vendor, architecture } = info;
  return device === vendor && architecture ? `${name} ${architecture}` : name;
}

/** The device and its networks: opened when first needed, opened again once when the device is lost. */
export class Engine {
  readonly #say: (status: Status) => void;
  #ready: Promise<Ready> | undefined;
  #teacher: Promise<Model> | undefined;
  /** Losses that were mended without asking. */
  #reopened = 0;

  constructor(say: (status: Status) => void) {
    this.#say = say;
    this.again();
  }

  /** Opens the device and loads the network anew: at the start, and when the visitor asks for it. */
  again(): void {
    this.#reopened = 0;
    this.#open({ phase: "starting" });
  }

  ready(): Promise<Ready> {
    return this.#ready!;
  }

  /** The teacher, fetched when somebody asks for it. */
  async teacher(): Promise<Model> {
    const { gpu } = await this.ready();
    this.#teacher ??= network(TEACHER, () => {}).then((file) => loadModel(gpu, file));
    this.#teacher.catch(() => {
      this.#teacher = undefined;
    });
    return this.#teacher;
  }

  /** Does work on the device, and once more where the device was lost meanwhile and could be opened again. */
  async surviving<T>(work: () => Promise<T>): Promise<T> {
    const before = this.#ready;
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof NcvsdError && error.code === "DEVICE_LOST")) throw error;
      this.#lost(before, error);
      // Says why where it stays lost.
      await this.ready();
      return work();
    }
  }

  #open(status: Status): void {
    this.#say(status);
    this.#teacher = undefined;
    const opening = this.#start();
    this.#ready = opening;
    opening.then(
      ({ gpu }) => {
        const { software } = gpu.info;
        this.#say({ phase: "ready", adapter: adapterName(gpu), software, reopened: this.#reopened > 0 });
        void gpu.lost.then((error) => this.#lost(opening, error));
      },
      (error) => this.#say({ phase: "failed", ...failureOf(error) }),
    );
  }

  /** Opens a lost device again, the first time. Whoever tells of it second is not heard. */
  #lost(gone: Promise<Ready> | undefined, error: Error): void {
    if (this.#ready !== gone) return;
    if (this.#reopened++ === 0) {
      this.#open({ phase: "reopening" });
      return;
    }
    this.#ready = Promise.reject(error);
    this.#ready.catch(() => {});
    this.#say({ phase: "failed", ...failureOf(error) });
  }

  async #start(): Promise<Ready> {
    // Some browsers have it on pages and not in workers.
    if (!navigator.gpu) throw Object.assign(new Error("There is no WebGPU here."), { code: "NO_WEBGPU" });
    // Without an adapter nothing is fetched: openGpu says so.
    if (!(await navigator.gpu.requestAdapter())) (await openGpu()).close();
    // The download does not wait for the device, nor the device for the download.
    const fetching = network(DISTILLED, (bytes, total) => this.#say({ phase: "fetching", bytes, total }));
    fetching.catch(() => {});
    const gpu = await openGpu();
    try {
      const file = await fetching;
      this.#say({ phase: "preparing" });
      return { gpu, model: await loadModel(gpu, file) };
    } catch (error) {
      gpu.close();
      throw error;
    }
  }
}
