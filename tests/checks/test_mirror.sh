#!/usr/bin/env bash
# Every tests/core/X_test.cpp, or X_aspect_test.cpp, tests a source or header X of core, or the fixture X; so for nn and
# optim.
set -euo pipefail

status=0
for library in core nn optim; do
  while read -r test; do
    name=$(basename "$test" _test.cpp)
    while [[ ! -f tests/golden/$name.json && -z $(find "$library" -name "$name.[ch]pp") ]]; do
      if [[ $name != *_* ]]; then
        echo "$test: nothing of this name in $library"
        status=1
        break
      fi
      name=${name%_*}
    done
  done < <(find "tests/$library" -name '*_test.cpp')
done
exit $status
