#!/bin/bash
#SBATCH --job-name=ncvsd-fd
#SBATCH --array=0-9
#SBATCH --gres=gpu:1
#SBATCH --cpus-per-task=2
#SBATCH --mem=4G
#SBATCH --time=04:00:00
#SBATCH --requeue
#SBATCH --output=%x-%A-%a.log
#
# Frechet distance of 50,000 images in ten shards, one GPU each; every task finds its shard in Slurm's variables.
# A task that is killed or requeued goes on from the features that it has written.
#
#   job=$(sbatch --parsable examples/slurm.sh)
#   sbatch --array=0-0 --dependency=afterok:$job examples/slurm.sh merge
#
# Send in all ten tasks or none: with --array=3 alone, Slurm would tell that task that it is the only one. To repeat one
# task by hand, say which it is: SHARD=4/10 bash examples/slurm.sh
#
# --gres=gpu:1 lets every task see its own GPU only, where the cluster confines devices (ConstrainDevices=yes in cgroup.conf).
# Where a task sees all GPUs of its node, write ADAPTER=$SLURM_JOB_GPUS below: the numbers are those of `ncvsd-gpu doctor`. GPUs
# of one model are told apart through Mesa's device selection layer (package mesa-vulkan-drivers; for NVIDIA's drivers too), which
# any program obeys: MESA_VK_DEVICE_SELECT_FORCE_DEFAULT_DEVICE=1 DRI_PRIME=pci-0000_3b_00_0, with the PCI address that lspci
# gives. CUDA_VISIBLE_DEVICES has no effect on Vulkan.
set -euo pipefail

NCVSD=${NCVSD:-npx ncvsd-gpu} # how to call the program
N=${N:-50000}                 # images in all
TS=${TS:-0,16}                # time steps
OUT=${OUT:-$PWD/fd}           # a folder that all tasks see
SHARD=${SHARD:-auto}          # i/n; auto: from Slurm
ADAPTER=${ADAPTER:-}          # number or part of the name of the GPU; default: the first that is seen

mkdir -p "$OUT"
if [[ ${1:-} == merge ]]; then
  exec $NCVSD evaluate merge "$OUT"/fd-*-of-*.features.safetensors --out "$OUT/fd.json"
fi
exec $NCVSD evaluate fd --ts "$TS" --n "$N" --batch 64 --shard "$SHARD" --out "$OUT/fd.json" --quiet ${ADAPTER:+--adapter "$ADAPTER"}
