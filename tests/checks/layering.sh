#!/usr/bin/env bash
# Includes point only leftwards in core <- nn <- optim <- examples, and public headers stay light.
set -uo pipefail

status=0

# forbid REASON PATTERN PATH...: prints every line of the C++ files below the paths that matches, and remembers the failure.
forbid() {
  local found
  if found=$(grep -rnE --include='*.hpp' --include='*.cpp' "$2" "${@:3}"); then
    printf '%s:\n%s\n' "$1" "$found"
    status=1
  fi
}

own='#[[:space:]]*include[[:space:]]*[<"]'
forbid "core may include nothing but gradus/core" "${own}gradus/(nn|optim|gradus)" core
forbid "nn may include nothing but gradus/core and gradus/nn" "${own}gradus/(optim|gradus)" nn
forbid "optim's parts may not include everything" "${own}gradus/gradus" optim
forbid "the library may not include examples or tests" "${own}.*(examples|tests)/" core nn optim

public=(core/include nn/include optim/include)
forbid "a public header is too heavy for these" "${own}(iostream|functional|random|regex|ranges|nlohmann/|xsimd/|zip|zlib)" "${public[@]}"
others=$(grep -rlE --include='*.hpp' --include='*.cpp' "${own}(xtensor|xtl)/" core nn optim examples tests | grep -v '^core/include/gradus/core/xtensor.hpp$')
if [[ $others ]]; then
  printf 'only gradus/core/xtensor.hpp may include xtensor, whose headers have other names since 0.26:\n%s\n' "$others"
  status=1
fi
forbid "xt::variance and xt::stddev crash under g++ 12" 'xt::(variance|stddev)' core nn optim examples tests
exit $status
