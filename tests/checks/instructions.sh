#!/usr/bin/env bash
# Instructions of one training step, of one BatchNorm, forwards and backwards, and of single operations, as valgrind
# counts them: the same on every run of one build, whatever else the machine does. Bounds are a tenth above what g++ 12
# and OpenBLAS 0.3.21 gave. A change that needs more says why where it raises them.
set -euo pipefail

declare -A bound=([tiny-sgd]=90500 [digits-sgd]=2220000 [batch_norm]=26300
                  [softmax]=61300 [gelu]=42200 [transpose]=9680 [sum-f64]=3815 [index_select]=8250)

program=$BUILD_DIR/tests/counted_work
command -v valgrind >/dev/null || { echo "no valgrind here"; exit 77; }
[[ -x $program && $BUILD_TYPE == Release && $COMPILER == GNU && $BLAS == TRUE ]] || exit 77
[[ $("$CXX" -dumpversion) == 12* ]] || { echo "this needs g++ 12"; exit 77; }
grep -q avx2 /proc/cpuinfo || { echo "no AVX2 here"; exit 77; }

# instructions WORK TIMES: of the whole program.
instructions() {
  OPENBLAS_CORETYPE=Haswell OPENBLAS_NUM_THREADS=1 GRADUS_ISA=avx2 \
    valgrind --tool=callgrind --callgrind-out-file=/dev/null "$program" "$@" 2>&1 | sed -n 's/.*Collected : //p'
}

status=0
for work in "${!bound[@]}"; do
  each=$((($(instructions "$work" 14) - $(instructions "$work" 4)) / 10))
  echo "$work: $each instructions, at most ${bound[$work]}"
  ((each > 0 && each <= bound[$work])) || status=1
done
exit $status
