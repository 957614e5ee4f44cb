#!/usr/bin/env bash
# No source file is longer than 400 lines.
set -euo pipefail

long=$(find core nn optim examples tests -type f \( -name '*.hpp' -o -name '*.cpp' -o -name '*.sh' -o -name run \) \
         -exec wc -l {} + | awk '$1 > 400 && $2 != "total"')
[[ -z $long ]] || { echo "$long"; exit 1; }
