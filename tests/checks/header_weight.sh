#!/usr/bin/env bash
# A program that includes all of gradus compiles fast: the headers come to at most 60 000 lines with what they include.
set -euo pipefail

header=optim/include/gradus/gradus.hpp
[[ -f $header ]] || exit 77
lines=$("$CXX" -std=c++20 -E -I core/include -I nn/include -I optim/include "$header" | wc -l)
echo "$header: $lines lines"
((lines <= 60000))
