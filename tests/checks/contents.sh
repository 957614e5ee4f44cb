#!/usr/bin/env bash
# <gradus/gradus.hpp> includes every public header, but for the one that needs xtensor.
set -euo pipefail

contents=optim/include/gradus/gradus.hpp
diff <(sed -nE 's,^#include <(gradus/.*)>,\1,p' "$contents" | sort) \
     <(find core/include nn/include optim/include -path '*/gradus/*/*.hpp' | sed -E 's|^[a-z]+/include/||' |
         grep -vx 'gradus/core/xtensor.hpp' | sort)
