#!/usr/bin/env bash
# The objects of kernels built for newer processors hold no weak symbol: the linker might keep theirs as the program's only
# copy of an inline function, and an older processor would meet instructions it does not have.
set -euo pipefail

mapfile -t objects < <(find "$BUILD_DIR/core" -path '*/kernels/body_*.o')
((${#objects[@]})) || exit 77
if nm --demangle --print-file-name "${objects[@]}" | grep -E ' [WVu] '; then exit 1; fi
