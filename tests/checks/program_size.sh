#!/usr/bin/env bash
# The trainer, with all that it uses of gradus, stays small. Counted where all is optimised and linked into it, for three
# instruction sets. The limit is for g++ 12.
set -euo pipefail

program=$BUILD_DIR/examples/03_train_mlp
set_to() { grep -q "^$1:[A-Z]*=$2\$" "$BUILD_DIR/CMakeCache.txt"; }
if [[ $BUILD_TYPE != Release || $COMPILER != GNU || ! -x $program ]] || set_to BUILD_SHARED_LIBS ON ||
  ! set_to GRADUS_INSTRUCTION_SETS 'sse2;avx2;avx512' || [[ $("$CXX" -dumpversion) != 12* ]]; then
  echo "this needs the static Release build of the examples by g++ 12"
  exit 77
fi
stripped=$(mktemp)
trap 'rm -f "$stripped"' EXIT
strip -o "$stripped" "$program"
size=$(stat -c %s "$stripped")
echo "03_train_mlp, stripped: $size bytes"
((size <= 2000000))
