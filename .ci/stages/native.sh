# Stages on this machine's own system and processor.

strict=(-DCMAKE_COMPILE_WARNING_AS_ERROR=ON)
optimised=(-DCMAKE_BUILD_TYPE=Release "${strict[@]}")
quickly=(-DCMAKE_BUILD_TYPE=Debug -DCMAKE_CXX_FLAGS_DEBUG=-O1 "${strict[@]}")  # compiled in half the time
library_and_tests=(-DGRADUS_BUILD_EXAMPLES=OFF -DGRADUS_BUILD_BENCHMARKS=OFF)
library_alone=(-DGRADUS_BUILD_TESTS=OFF "${library_and_tests[@]}")

run_tests() { ctest --test-dir "$1" --parallel "$(nproc)" --output-on-failure --no-tests=error "${@:2}"; }

release() {
  configure "$release_dir" "${optimised[@]}"
  tests/run
}

# What .clang-tidy asks for, in all sources but the bodies of kernels, which are compiled once for each instruction set.
# Those of the libraries are read twelve at a time, as they are compiled.
clang_tidy() {
  configure build/tidy -DCMAKE_CXX_COMPILER=clang++ "${optimised[@]}" -DCMAKE_EXPORT_COMPILE_COMMANDS=ON -DCMAKE_CXX_COMPILER_LAUNCHER= \
    -DGRADUS_BUILD_TESTS=OFF -DGRADUS_BUILD_BENCHMARKS=OFF
  mkdir -p "$logs/tidy"
  export -f tidy_one
  export logs
  sed -n 's/^ *"file": "\(.*\)",\?$/\1/p' build/tidy/compile_commands.json | grep -v kernels/body.cpp | sort -u |
    xargs -n 1 -P "$(nproc)" bash -c 'tidy_one "$0"'
}

# tidy_one SOURCE: reads it, unless the same text, with all that it includes, was found clean before.
tidy_one() {
  local command text
  command=$(grep -F -m 1 -B 1 "\"file\": \"$1\"" build/tidy/compile_commands.json |
    sed -n 's/^ *"command": "\(.*\)",$/\1/p' | sed 's/\\\(.\)/\1/g')
  text=$({ clang-tidy --version && cat .clang-tidy && eval "$command -E -C -o -"; } | sha256sum | cut -c -40)
  [[ -f $logs/tidy/$text ]] || { clang-tidy -p build/tidy --quiet "$1" && touch "$logs/tidy/$text"; }
}

formatting() { git ls-files -z '*.hpp' '*.cpp' | xargs -0 clang-format --dry-run -Werror; }

asan() {
  configure build/asan --preset asan -DGRADUS_BUILD_BENCHMARKS=OFF
  build build/asan
  run_tests build/asan --exclude-regex '^examples_crash_test$'  # demands kills that hit a write: with sanitizers, chance
}

tsan() {
  configure build/tsan --preset tsan "${library_and_tests[@]}"
  build build/tsan threads_tests
  run_tests build/tsan --label-regex threads
}

without_blas() {
  configure build/noblas "${optimised[@]}" "${library_and_tests[@]}" -DGRADUS_BLAS=OFF -DGRADUS_INSTRUCTION_SETS=all
  build build/noblas
  run_tests build/noblas
}

clang19() {
  command -v clang++-19 >/dev/null || missing clang 19
  configure build/clang19 -DCMAKE_CXX_COMPILER=clang++-19 "${quickly[@]}" "${library_and_tests[@]}"
  build build/clang19
  run_tests build/clang19 --exclude-regex ^fuzz_
}

libcxx() {
  command -v clang++-19 >/dev/null || missing clang 19 with libc++
  local compiler=(-DCMAKE_CXX_COMPILER=clang++-19 -DCMAKE_C_COMPILER=clang-19 -DCMAKE_CXX_FLAGS=-stdlib=libc++)
  googletest "$kept/libcxx" "${compiler[@]}"
  configure build/libcxx "${compiler[@]}" -DGTest_DIR="$kept/libcxx/lib/cmake/GTest" "${quickly[@]}" \
    "${library_and_tests[@]}"
  build build/libcxx
  run_tests build/libcxx --exclude-regex ^fuzz_
}

# Several processes with Open MPI, more than there are cores, and the example as a user starts it.
mpi() {
  configure build/mpi "${optimised[@]}" -DGRADUS_MPI=ON -DGRADUS_BUILD_BENCHMARKS=OFF
  build build/mpi optim_distributed_test distributed_ranks 16_data_parallel
  run_tests build/mpi --tests-regex optim_distributed
  mpirun --allow-run-as-root --oversubscribe -np 2 build/mpi/examples/16_data_parallel
}
