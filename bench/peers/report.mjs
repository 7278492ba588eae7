/** The results as Markdown tables and as JSON. */

function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  return (sorted[(sorted.length - 1) >> 1] + sorted[sorted.length >> 1]) / 2;
}

const digits = (ms) => ms.toFixed(ms < 10 ? 2 : ms < 100 ? 1 : 0);
const ratioText = (ratio) => ratio.toFixed(ratio < 10 ? 2 : 1);
const line = (cells) => `| ${cells.join(" | ")} |`;

/**
 * Figures of one row.
 * @param measured what measureRow gives @param peaks the adapter's
 * @param {{ ours: string, peers: readonly string[] }} names peers: those that ncvsd-gpu is compared with
 */
export function figures({ row, cells }, peaks, { ours, peers }) {
  const contenders = Object.fromEntries(
    [...cells].map(([name, { times, error, failure }]) => {
      const valid = failure === null && times.length > 0;
      const median_ = valid ? median(times) : null;
      return [name, { median: median_, min: valid ? Math.min(...times) : null, runs: times.length, error, failure }];
    }),
  );
  const mine = contenders[ours]?.median ?? null;
  const medianOf = (name) => contenders[name]?.median ?? Number.POSITIVE_INFINITY;
  const [fastest = null] = peers.filter((name) => medianOf(name) < Infinity).sort((a, b) => medianOf(a) - medianOf(b));
  const memory = row.bytes !== undefined;
  const rate = mine === null ? null : (memory ? row.bytes : row.flops) / mine / 1e6;
  const peak = memory ? peaks.copy : peaks.fma;
  return {
    id: row.id,
    title: row.title,
    gflop: row.flops / 1e9,
    contenders,
    fastestPeer: fastest,
    ratio: fastest !== null && mine !== null ? medianOf(fastest) / mine : null,
    target: row.target,
    unit: memory ? "GB/s" : "GFLOP/s",
    rate,
    shareOfPeak: rate === null || peak === 0 ? null : rate / peak,
  };
}

/** Medians, the ratio to the fastest peer, and how near to the adapter's peak ncvsd-gpu is. */
export function timesTable(rows, names) {
  const head = ["row", ...names, "fastest peer", "times faster", "target", "rate", "of the peak"];
  const lines = rows.map((row) => {
    const cells = names.map((name) => cellText(row.contenders[name]));
    const rate = row.rate === null ? "-" : `${row.rate.toFixed(row.rate < 10 ? 1 : 0)} ${row.unit}`;
    const share = row.shareOfPeak === null ? "-" : row.shareOfPeak.toFixed(2);
    const ratio = row.ratio === null ? "-" : ratioText(row.ratio);
    return line([row.title, ...cells, row.fastestPeer ?? "-", ratio, row.target ?? "-", rate, share]);
  });
  return [line(head), line(head.map((_, i) => (i === 0 ? "---" : "---:"))), ...lines].join("\n");
}

function cellText(cell) {
  if (!cell) return "-";
  return cell.median === null ? (cell.failure ?? "-") : digits(cell.median);
}

/** Smallest times and errors. */
export function errorsTable(rows, names) {
  const lines = rows.map((row) =>
    line([
      row.title,
      ...names.map((name) => {
        const { min = null, error = null } = row.contenders[name] ?? {};
        return `${min === null ? "-" : digits(min)} (${error === null ? "-" : error.toExponential(1)})`;
      }),
    ]),
  );
  return [line(["row", ...names]), line(["---", ...names.map(() => "---:")]), ...lines].join("\n");
}

/** The whole report. @param {readonly string[]} names of the contenders, ncvsd-gpu first */
export function markdown(report, names) {
  const { adapters, processors, date, versions, peaks, rounds, rows, coldStarts } = report;
  const others = Object.entries(adapters).filter(
    ([name, adapter]) => adapter !== adapters[names[0]] && name !== names[0],
  );
  const used = Object.entries(versions).map((pair) => pair.join(" "));
  const parts = [
    `${adapters[names[0]]} on ${processors}, ${date}, f32; ${used.join(", ")}.`,
    `Adapter's peaks: ${peaks.fma.toFixed(0)} GFLOP/s of multiply-adds, copies at ${peaks.copy.toFixed(1)} GB/s (read + write).`,
    ...(report.tunedChoices > 0 ? [`${report.tunedChoices} tuned choices in use by ${names[0]}.`] : []),
    ...others
      .filter(([, adapter]) => adapter)
      .map(([name, adapter]) => `Not the same adapter: ${name} uses ${adapter}.`),
    `Milliseconds, medians of ${rounds} rounds:`,
    timesTable(rows, names),
    "Smallest times and, in brackets, ||out - ref|| / ||ref|| against float64:",
    errorsTable(rows, names),
  ];
  if (coldStarts.length > 0)
    parts.push("The U-Net's first evaluation without cached pipelines:", coldTable(coldStarts));
  return parts.join("\n\n");
}

/** @param {{ name: string, prepareMs: number | null, firstMs: number | null, failure: string | null }[]} starts */
export function coldTable(starts) {
  const seconds = (ms) => (ms / 1000).toFixed(1);
  const lines = starts.map(({ name, prepareMs, firstMs, failure }) =>
    failure === null
      ? line([name, seconds(prepareMs), seconds(firstMs), seconds(prepareMs + firstMs)])
      : line([name, failure, "-", "-"]),
  );
  return [
    line(["", "preparing, s", "first evaluation, s", "together, s"]),
    "| --- | ---: | ---: | ---: |",
    ...lines,
  ].join("\n");
}
