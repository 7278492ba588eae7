#!/bin/bash
# The bundled checkpoints against the figures of their model card (weights/README.md), from another engine.
#
#   bench/evaluate.sh                # the whole table and a report: 5,000 images in 1, 2 and 4 steps, 2,000 of the teacher
#   bench/evaluate.sh quick          # 500 images in 1 step
#   bench/evaluate.sh memory         # resident memory and GPU bytes at 1,000 and at 20,000 images
#   bench/evaluate.sh throughput     # images per second of `evaluate fd` and of `sample`, in turn
#
# Interrupt it at any time: the same command goes on from where it was. Build first (npm run build).
set -euo pipefail
cd "$(dirname "$0")/.."

OUT=${OUT:-out/evaluate}
BATCH=${BATCH:-16}
ADAPTER=${ADAPTER:+--adapter $ADAPTER}
ncvsd() { node dist/src/cli/main.js "$@"; }
fd() { # name, images, sampler options
  local name=$1 n=$2
  shift 2
  echo "== $name"
  ncvsd evaluate fd "$@" --n "$n" --batch "$BATCH" --out "$OUT/$name.json" $ADAPTER
}
mkdir -p "$OUT"

case ${1:-table} in
  table)
    fd 1-step 5000 --ts 10
    fd 2-steps 5000 --ts 0,16
    fd 4-steps 5000 --ts 0,4,8,12
    fd teacher 2000 --net weights/edm2-fashion32.safetensors --steps 32
    ncvsd evaluate report "$OUT"/{1-step,2-steps,4-steps,teacher}.json --stated 5.76,4.21,4.73,4.27 --data weights/fashion32-test64.safetensors --out "$OUT/report.html" $ADAPTER
    node -e '
      const card = [["1-step", 5.76, 90.1], ["2-steps", 4.21, 88.4], ["4-steps", 4.73, 89.8], ["teacher", 4.27, 90.2]];
      console.log("run        FD  (model card)   classes  (model card)");
      for (const [name, fd, agreement] of card) {
        const r = JSON.parse(require("fs").readFileSync(`${process.argv[1]}/${name}.json`));
        const column = (v, width) => v.toFixed(1).padStart(width);
        console.log(`${name.padEnd(8)} ${column(r.fd, 5)}  (${column(fd, 4)})         ${column(100 * r.labels.agreement, 5)}%  (${agreement}%)`);
      }' "$OUT"
    ;;
  quick)
    fd quick 500 --ts 10
    ;;
  memory)
    fd memory 20000 --ts 10
    node -e '
      for (const m of JSON.parse(require("fs").readFileSync(process.argv[1])).memory)
        console.log(`after ${m.images} images: ${(m.rssBytes / 2 ** 20).toFixed(1)} MiB resident, ${(m.gpuBytes / 2 ** 20).toFixed(1)} MiB on the GPU`);
      ' "$OUT/memory.json"
    ;;
  throughput)
    for round in 1 2 3; do
      ncvsd sample --ts 0,16 --seeds 0-255 --batch "$BATCH" --outdir "$OUT/sample" --force --json --quiet $ADAPTER |
        node -p '`sample       ${(1 / JSON.parse(require("fs").readFileSync(0)).secondsPerEvaluation).toFixed(2)} evaluations/s`'
      ncvsd evaluate fd --ts 0,16 --n 256 --batch "$BATCH" --json --quiet $ADAPTER |
        node -p '`evaluate fd  ${JSON.parse(require("fs").readFileSync(0)).timing.evaluationsPerSecond.toFixed(2)} evaluations/s`'
    done
    ;;
  *)
    echo "bench/evaluate.sh: table, quick, memory or throughput" >&2
    exit 2
    ;;
esac
