#!/usr/bin/env bash
# A program that includes all of gradus compiles in about a second, most of it for the standard library. What our headers
# add is counted, not timed: the memory that g++ takes for them, which grows with templates far more than with lines. Which
# headers of the standard may be included is checked in layering.sh.
set -euo pipefail

# megabytes: of g++ for the program on standard input.
megabytes() {
  "$CXX" -std=c++20 -I core/include -I nn/include -I optim/include -fsyntax-only -ftime-report -x c++ - 2>&1 |
    sed -nE 's/^ *TOTAL.* ([0-9]+)M$/\1/p'
}

if ! "$CXX" --version | grep -q 'Free Software Foundation'; then
  echo "$CXX does not tell the memory it takes"
  exit 77
fi
standard=$(grep -rhoE '^#include <[a-z_0-9]+>' core/include nn/include optim/include --exclude xtensor.hpp | sort -u | megabytes)
all=$(echo '#include <gradus/gradus.hpp>' | megabytes)
echo "<gradus/gradus.hpp>: $((all - standard)) MB beside $standard MB of the standard library"
((all - standard <= 60))
