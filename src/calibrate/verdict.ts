import type { Figure, Judgement } from "./judged.js";

/** Standard errors that a figure may be off by chance. */
const CHANCE = 3;

/** What is too small to matter, however surely it is there. */
const SMALL = { coverage: 0.03, factor: 0.03, misfit: 0.03, gap: 0.02 };

const off = ({ value, expected, error }: Figure, small: number) =>
  Math.abs(value - expected) > Math.max(CHANCE * error, small);

/** Whether a sampler's spread is right as far as the cases tell, and in one line where it is not. */
export function verdictOf(j: Judgement): { readonly passed: boolean; readonly line: string } {
  const faults = [...spreadFaults(j), ...misfitFault(j), ...coverageFaults(j), ...gapFault(j)];
  return faults.length === 0
    ? { passed: true, line: "no deviation from the exact posterior that these cases could show" }
    : { passed: false, line: faults.join("; ") };
}

/** Too narrow, too wide: told of the directions apart where they are known. */
function spreadFaults({ all, measured, blind }: Judgement): string[] {
  const places = [
    { spread: measured, where: " in the measured directions" },
    { spread: blind, where: " in the data's blind directions" },
  ].filter(({ spread }) => spread);
  return (places.length > 0 ? places : [{ spread: all, where: "" }]).flatMap(({ spread, where }) => {
    const { factor } = spread!;
    if (!off(factor, SMALL.factor)) return [];
    const by = Math.max(factor.value, 1 / factor.value).toFixed(2);
    return [`too ${factor.value > 1 ? "narrow" : "wide"} by ${by}${where}`];
  });
}

function misfitFault({ misfit }: Judgement): string[] {
  if (!off(misfit, SMALL.misfit)) return [];
  return [
    `${misfit.value > misfit.expected ? "off" : "too close to"} the measurement: misfit ${misfit.value.toFixed(2)}, exact draws ${misfit.expected.toFixed(2)}`,
  ];
}

function coverageFaults({ all, hpd }: Judgement): string[] {
  const told = (name: string, figures: { 50: Figure; 90: Figure }) =>
    ([50, 90] as const)
      .filter((level) => off(figures[level], SMALL.coverage))
      .slice(0, 1)
      .map((level) => {
        const { value, expected } = figures[level];
        return `${name} coverage at ${level}% is ${share(value)} where ${share(expected)} is right`;
      });
  return [...told("central", all.central), ...told("HPD", hpd)];
}

function gapFault({ gap }: Judgement): string[] {
  return off(gap, SMALL.gap) ? [`means off by ${gap.value.toFixed(2)} posterior variances`] : [];
}

const share = (v: number) => `${(100 * v).toFixed(0)}%`;
