/** The parts below the desk: in a chunk of their own. */
import { NoisyFigure } from "./article/noisy.js";
import { Generate } from "./generate/generate.js";
import { Hood } from "./hood/hood.js";
import { OwnNetwork } from "./hood/own.js";
import { mount } from "./parts/mount.js";
import { Steps } from "./steps/steps.js";

export function mountMore(): void {
  mount("noisy", <NoisyFigure />);
  mount("steps", <Steps />);
  mount("generate", <Generate />);
  mount("hood", <Hood />);
  mount("own", <OwnNetwork />);
}
