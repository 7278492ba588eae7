import { signal } from "@preact/signals";
import { truth } from "../desk/subject.js";
import { type Noisy, PIXELS } from "../engine/protocol.js";
import { Slider } from "../parts/controls.js";
import { Go } from "../parts/go.js";
import { task } from "../parts/job.js";
import { Picture } from "../parts/picture.js";
import { tile } from "../parts/pixels.js";
import { recorded } from "../recorded.js";
import { noisyLevel } from "../state.js";

const DRAWS = 6;
const RECORDED_SIGMAS = [0.4, 1.2, 4];

const job = task<"noisy">();
const shown = signal<(Noisy & { readonly sigma: number }) | undefined>(undefined);

async function draw(): Promise<void> {
  const picture = truth.value;
  if (!picture) return;
  const level = noisyLevel.value;
  const seed = Math.floor(Math.random() * 1e6);
  const result = await job.start({ kind: "noisy", truth: picture, sigma: level, draws: DRAWS, seed });
  if (result) shown.value = { ...result, sigma: level };
}

/** The recorded row whose level is nearest. */
function stored(level: number): Noisy & { sigma: number } {
  const distance = (s: number) => Math.abs(Math.log(s / level));
  const row = RECORDED_SIGMAS.reduce((best, s, i) => (distance(s) < distance(RECORDED_SIGMAS[best]!) ? i : best), 0);
  const [noisy, ...samples] = recorded.noisy.slice(row * (DRAWS + 1), (row + 1) * (DRAWS + 1));
  const images = new Float32Array(DRAWS * PIXELS);
  samples.forEach((sample, i) => {
    images.set(sample, i * PIXELS);
  });
  return { noisy: noisy!, images, sigma: 1 };
}

/** A picture with noise, and draws of what it may have been. */
export function NoisyFigure() {
  const now = shown.value ?? stored(noisyLevel.value);
  const scale = Math.max(1, now.sigma);
  return (
    <figure class="strip">
      <div class="strip-row">
        <Picture values={now.noisy.map((v) => v / scale)} label="The noisy picture" />
        <span class="arrow" aria-hidden="true">
          →
        </span>
        {Array.from({ length: DRAWS }, (_, i) => (
          <Picture key={i} values={tile(now.images, i)} label={`Draw ${i + 1} of what it may have been`} />
        ))}
      </div>
      <div class="strip-controls">
        <Slider
          label="Noise level"
          value={Math.log10(noisyLevel.value)}
          min={-1}
          max={1}
          step={0.05}
          shown={noisyLevel.value.toPrecision(2)}
          onInput={(v) => {
            noisyLevel.value = Number((10 ** v).toPrecision(2));
            if (shown.value) void draw();
          }}
        />
        <Go of={job} onStart={() => void draw()}>
          Draw
        </Go>
      </div>
      <figcaption>
        {shown.value
          ? "The picture on the desk with noise, and six draws by one evaluation each."
          : "A boot with noise, and six draws of what it may have been, by one evaluation each. Recorded; press Draw for the picture on the desk."}
      </figcaption>
    </figure>
  );
}
