#!/usr/bin/env bash
# The objects of kernels built for newer processors, in core, nn and optim, hold no weak symbol: the linker might keep
# theirs as the program's only copy of an inline function, and an older processor would meet instructions it does not have.
set -euo pipefail

for library in core nn optim; do
  mapfile -t objects < <(find "$BUILD_DIR/$library" -path "*gradus_${library}_kernels_*" -name '*.o')
  ((${#objects[@]})) || { echo "no kernels of $library"; exit 77; }
  if nm --demangle --print-file-name "${objects[@]}" | grep -E ' [WVu] '; then exit 1; fi
done
