#!/usr/bin/env bash
# A program that includes all of gradus compiles in about a second: with the standard library the headers come to at most
# 70 000 lines, of which <memory> alone brings 52 000.
set -euo pipefail

lines=$(echo '#include <gradus/gradus.hpp>' |
          "$CXX" -std=c++20 -E -I core/include -I nn/include -I optim/include -x c++ - | wc -l)
echo "<gradus/gradus.hpp>: $lines lines"
((lines <= 70000))
