#!/usr/bin/env bash
# Every tests/core/X_test.cpp tests a source or header X of core, and so on for nn and optim.
set -euo pipefail

status=0
for library in core nn optim; do
  while read -r test; do
    name=$(basename "$test" _test.cpp)
    if [[ -z $(find "$library" -name "$name.cpp" -o -name "$name.hpp") ]]; then
      echo "$test: no $name.cpp or $name.hpp in $library"
      status=1
    fi
  done < <(find "tests/$library" -name '*_test.cpp' 2>/dev/null)
done
exit $status
