import { useMemo } from "preact/hooks";
import { savePng } from "../parts/files.js";
import { heatGradient, Picture } from "../parts/picture.js";
import { tile } from "../parts/pixels.js";
import * as state from "../state.js";
import { type Outcome, outcome, spreadOf } from "./outcome.js";
import { certainty, chiWords } from "./words.js";

/** Amplitudes over many orders of magnitude, as grey. */
function logarithmic(values: Float32Array): Float32Array {
  const top = values.reduce((a, b) => Math.max(a, b), 1e-6);
  return values.map((v) => Math.max(-1, 1 + Math.log10(Math.max(1e-6, v) / top) * 0.7));
}

/** What a covered pixel looks like in the measurement: the middle between black and white. */
const withHoles = (values: Float32Array, mask: Uint8Array | undefined) =>
  mask ? values.map((v, i) => (mask[i] === 0 ? -0.1 : v)) : values;

/** The command line's: its folder, its file. */
const fileName = (text: Readonly<Record<string, string>>, i: number) =>
  `${text["ncvsd-gpu:image"]}-sample-${String(i).padStart(2, "0")}.png`;

/** Nothing is told before the noise is low: until then the samples are anything. */
const STD_FROM_SIGMA = 4;

export function Results() {
  const now = outcome.value;
  return (
    <section class="results" aria-label="Samples" aria-busy={now?.phase === "running"}>
      {now ? <Shown of={now} /> : <p class="empty">The samples appear here.</p>}
    </section>
  );
}

function Shown({ of }: { of: Outcome }) {
  const { images, measured, runs, result, phase, mask, at } = of;
  const seen = useMemo(
    () => measured && (measured.amplitudes ? logarithmic(measured.values) : withHoles(measured.values, mask)),
    [measured, mask],
  );
  const unfinished = phase !== "recorded" && result === undefined;
  const settled = images !== undefined && (!unfinished || (at !== undefined && at.sigma < STD_FROM_SIGMA));
  const spread = useMemo(() => (images && settled ? spreadOf(images) : undefined), [images, settled]);
  const worst = spread ? spread.std.reduce((a, b) => Math.max(a, b), 0) : 0;
  // A round end of the scale, so that it does not dance.
  const end = Math.max(0.1, Math.ceil(worst * 10) / 10);
  const heat = useMemo(() => spread?.std.map((v) => v / end), [spread, end]);
  const pictures = useMemo(() => Array.from({ length: runs }, (_, i) => images && tile(images, i)), [images, runs]);
  const chi2 = result && result.chi2.reduce((a, b) => a + b, 0) / result.chi2.length;
  return (
    <>
      <div class="samples">
        {pictures.map((values, i) => (
          <figure key={i}>
            <Picture values={values} label={`Sample ${i + 1}`} />
            <figcaption>
              {i === 0 ? "Samples" : <span class="unseen">Sample {i + 1}</span>}
              {result && (
                <button
                  type="button"
                  class="save"
                  aria-label={`Save sample ${i + 1} as a PNG`}
                  title="Save as a PNG that knows how it was made"
                  onClick={() => {
                    const text = { ...result.texts[i], "ncvsd-gpu:desk": of.choices ?? state.written() };
                    void savePng(values!.slice(), text, fileName(result.texts[i]!, i));
                  }}
                >
                  <svg viewBox="0 0 16 16" aria-hidden="true">
                    <path
                      d="M8 2v8M4.5 7 8 10.5 11.5 7M3 13.5h10"
                      fill="none"
                      stroke="currentColor"
                      stroke-width="1.6"
                    />
                  </svg>
                </button>
              )}
            </figcaption>
          </figure>
        ))}
      </div>
      <div class="summary">
        <figure>
          <Picture values={of.truth} label="The truth" />
          <figcaption>Truth</figcaption>
        </figure>
        <figure>
          <Picture
            values={seen}
            width={measured?.shape[1] ?? 32}
            height={measured?.shape[0] ?? 32}
            label="What was measured"
          />
          <figcaption>Measured</figcaption>
        </figure>
        <figure>
          <Picture values={spread?.mean} label="Mean of the samples" />
          <figcaption>Mean</figcaption>
        </figure>
        <figure>
          <Picture values={heat} look="heat" label="Standard deviation of the samples, pixel by pixel" />
          <figcaption>
            Spread
            <span class="scale">
              <i style={{ background: heatGradient }} />
              <span>0</span>
              <span>{Math.round(100 * end)}%</span>
            </span>
          </figcaption>
        </figure>
      </div>
      <div class="words">
        {spread && !unfinished ? (
          <>
            {certainty(spread.std, of.task, mask).map((sentence) => (
              <p key={sentence.slice(0, 8)}>{sentence}</p>
            ))}
            {chi2 !== undefined && <p>{chiWords(chi2, result && result.evaluations + 1).replace(/^chi/, "Chi")}</p>}
            {result ? (
              <p class="hint">
                {runs} samples, {result.evaluations} evaluations each, {result.seconds.toFixed(1)} s on {result.adapter}
                . PSNR of single samples {Math.min(...result.psnr).toFixed(1)} to {Math.max(...result.psnr).toFixed(1)}{" "}
                dB.
              </p>
            ) : (
              phase === "recorded" && <p class="hint">Recorded earlier. Yours will be drawn on your own GPU.</p>
            )}
          </>
        ) : (
          <p class="hint">
            {phase === "running"
              ? "From pure noise to pictures that fit the measurement …"
              : `Ended early${at ? `, at noise level ${at.sigma.toPrecision(2)}` : ""}: these are not samples yet.`}
          </p>
        )}
      </div>
    </>
  );
}
