import sourcesUrl from "virtual:sources";
import { signal } from "@preact/signals";
import { run } from "../engine/client.js";
import type { Checked, Layer, Layers } from "../engine/protocol.js";
import { Go } from "../parts/go.js";
import { task } from "../parts/job.js";
import { announce } from "../parts/live.js";

const job = task<"layers">();
const found = signal<Layers | undefined>(undefined);
const opened = signal<Layer | undefined>(undefined);
const checked = signal<Checked | string | undefined>(undefined);
const sources = signal<Readonly<Record<string, { readonly wgsl: string; readonly reference: string }>> | undefined>(
  undefined,
);

/** Layers that are shown: the slowest. */
const SHOWN = 16;

async function time(): Promise<void> {
  const result = await job.start({ kind: "layers" });
  if (!result) return;
  found.value = result;
  announce(`${result.layers.length} layers were timed.`);
}

async function open(layer: Layer): Promise<void> {
  opened.value = layer;
  checked.value = undefined;
  fetch(sourcesUrl)
    .then((response) => response.json())
    .then((all) => {
      sources.value = all;
    })
    .catch(() => {});
  try {
    const result = await run({ kind: "check", kernel: layer.kernel }).result;
    if (opened.value !== layer) return;
    checked.value = result;
    announce(`${layer.kernel}: error ${result.error.toExponential(1)} against float64.`);
  } catch (error) {
    if (opened.value === layer) checked.value = (error as Error).message;
  }
}

const ms = (time: number) => (time >= 10 ? time.toFixed(0) : time.toPrecision(2));

function Bars({ of: { layers, adapter } }: { of: Layers }) {
  const total = layers.reduce((sum, layer) => sum + layer.ms, 0);
  const slowest = [...layers].sort((a, b) => b.ms - a.ms).slice(0, SHOWN);
  const longest = slowest[0]!.ms;
  return (
    <figure class="bars">
      <ol>
        {slowest.map((layer) => (
          <li key={layer.node}>
            <button type="button" aria-pressed={opened.value === layer} onClick={() => void open(layer)}>
              <span class="bar-name">
                {layer.node} <small>{layer.kernel}</small>
              </span>
              <span class="bar">
                <i style={{ width: `${(100 * layer.ms) / longest}%` }} />
              </span>
              <span class="bar-ms">{ms(layer.ms)} ms</span>
            </button>
          </li>
        ))}
      </ol>
      <figcaption>
        The slowest {slowest.length} of {layers.length} layers of one evaluation, {ms(total)} ms in all on {adapter},
        each timed by itself. Click one to open its kernel.
      </figcaption>
    </figure>
  );
}

function Kernel({ layer }: { layer: Layer }) {
  const result = checked.value;
  const source = sources.value?.[layer.kernel];
  return (
    <section class="kernel" aria-label={`The kernel ${layer.kernel}`}>
      <h3>{layer.kernel}</h3>
      <p>
        {result === undefined
          ? "Comparing it with float64 …"
          : typeof result === "string"
            ? result
            : `Measured just now on this adapter: relative error ${result.error.toExponential(1)} against the float64 reference, on the case “${result.case}”${result.ok ? "." : ", which is more than is allowed: the driver computes wrongly."}`}
      </p>
      {source && (
        <div class="sources">
          {(["wgsl", "reference"] as const).map((which) => (
            <div key={which}>
              <h4>{which === "wgsl" ? "WGSL" : "Its reference, in float64"}</h4>
              {/* biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls */}
              <pre tabIndex={0}>{source[which]}</pre>
            </div>
          ))}
        </div>
      )}
    </section>
  );
}

/** Where the time goes, and the kernels behind it. */
export function Hood() {
  return (
    <div class="panel">
      <Go of={job} onStart={() => void time()}>
        Time the layers
      </Go>
      {found.value && <Bars of={found.value} />}
      {opened.value && <Kernel layer={opened.value} />}
    </div>
  );
}
