#!/usr/bin/env bash
# A program that includes all of gradus compiles in about a second. The headers of the standard library that it needs bring
# nineteen of twenty lines (<memory> alone 52 000 with g++ 12), and how many is theirs to decide; ours are counted. Which of
# the standard's may be included is checked in layering.sh.
set -euo pipefail

# lines: of the program on standard input when it is preprocessed.
lines() { "$CXX" -std=c++20 -E -P -I core/include -I nn/include -I optim/include -x c++ - | wc -l; }

standard=$(grep -rhoE '^#include <[a-z_0-9]+>' core/include nn/include optim/include --exclude xtensor.hpp | sort -u | lines)
all=$(echo '#include <gradus/gradus.hpp>' | lines)
echo "<gradus/gradus.hpp>: $((all - standard)) lines beside $standard of the standard library"
((all - standard <= 2900))
