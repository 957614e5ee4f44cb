#!/usr/bin/env bash
# Tests of several processes: run.sh RANKS MPIEXEC. Prints the table of how far k processes are from one.
set -euo pipefail
ranks=$1 mpiexec=$2
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_rmaps_base_oversubscribe=1 \
  OMPI_MCA_mpi_yield_when_idle=1 OMPI_MCA_btl_vader_single_copy_mechanism=none OPENBLAS_NUM_THREADS=1
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

on() { "$mpiexec" -np "$1" "$ranks" "${@:2}"; }
problem() { echo "$1"; cat "$scratch"/out; exit 1; }

echo "| processes | shards | dtype | difference after 50 steps |"
for k in 1 2 3 4; do
  on "$k" equality
  on "$k" without-sync
done

on 3 save "$scratch/three.pt"
on 2 resume "$scratch/three.pt"
"$ranks" resume "$scratch/three.pt"  # and without mpirun

# An error ends all processes, and is told once.
for how in throw throw-all; do
  if timeout 60 "$mpiexec" -np 3 "$ranks" fail $how >"$scratch/out" 2>&1; then problem "the job goes on after $how"; fi
  (($(grep -c "had enough" "$scratch/out") == 1)) || problem "$how: the message is not there once"
done

# A process that is killed ends the others, and the last checkpoint is whole.
if timeout 60 "$mpiexec" -np 2 "$ranks" fail "$scratch/last.pt" >"$scratch/out" 2>&1; then problem "the job goes on without a rank"; fi
"$ranks" load "$scratch/last.pt" || problem "the last checkpoint is broken"

# One that does not answer, too.
status=0
timeout 60 "$mpiexec" -np 2 "$ranks" stall >"$scratch/out" 2>&1 || status=$?
((status != 0 && status != 124)) || problem "the job waits for a rank that hangs"
grep -q "waited 2 s for the others" "$scratch/out" || problem "no word of the timeout"
echo "several processes: all as one"
