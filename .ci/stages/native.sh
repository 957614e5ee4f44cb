# Stages on this machine's own system and processor.

# build_and_test PRESET [CTEST ARGUMENT]...
build_and_test() {
  configure "build/$1" --preset "$1"
  build "build/$1"
  run_tests "build/$1" "${@:2}"
}

run_tests() { ctest --test-dir "$1" --parallel "$(nproc)" --output-on-failure --no-tests=error "${@:2}"; }

release() {
  configure "$release_dir" -DCMAKE_BUILD_TYPE=Release -DCMAKE_COMPILE_WARNING_AS_ERROR=ON
  tests/run
}

# What .clang-tidy asks for, in all sources but the bodies of kernels, which are compiled once for each instruction set.
clang_tidy() {
  configure build/tidy -DCMAKE_BUILD_TYPE=Release -DCMAKE_EXPORT_COMPILE_COMMANDS=ON -DGRADUS_BUILD_TESTS=OFF \
    -DGRADUS_BUILD_BENCHMARKS=OFF
  sed -n 's/^ *"file": "\(.*\)",\?$/\1/p' build/tidy/compile_commands.json | grep -v kernels/body.cpp | sort -u |
    xargs -n 4 -P "$(nproc)" clang-tidy -p build/tidy --quiet
}

formatting() { git ls-files -z '*.hpp' '*.cpp' | xargs -0 clang-format --dry-run -Werror; }

asan() { build_and_test asan; }

tsan() {
  configure build/tsan --preset tsan
  build build/tsan threads_tests
  run_tests build/tsan --label-regex threads
}

without_blas() {
  configure build/noblas -DCMAKE_BUILD_TYPE=Release -DCMAKE_COMPILE_WARNING_AS_ERROR=ON -DGRADUS_BLAS=OFF \
    -DGRADUS_BUILD_EXAMPLES=OFF
  build build/noblas
  run_tests build/noblas
}

clang19() {
  command -v clang++-19 >/dev/null || missing clang 19
  configure build/clang19 -DCMAKE_CXX_COMPILER=clang++-19 -DCMAKE_BUILD_TYPE=Release \
    -DCMAKE_COMPILE_WARNING_AS_ERROR=ON -DGRADUS_BUILD_EXAMPLES=OFF
  build build/clang19
  run_tests build/clang19 --exclude-regex ^fuzz_
}

libcxx() {
  command -v clang++-19 >/dev/null || missing clang 19 with libc++
  local compiler=(-DCMAKE_CXX_COMPILER=clang++-19 -DCMAKE_C_COMPILER=clang-19 -DCMAKE_CXX_FLAGS=-stdlib=libc++)
  googletest "$scratch/libcxx" "${compiler[@]}"
  configure build/libcxx "${compiler[@]}" -DGTest_DIR="$scratch/libcxx/lib/cmake/GTest" -DCMAKE_BUILD_TYPE=Release \
    -DCMAKE_COMPILE_WARNING_AS_ERROR=ON -DGRADUS_BUILD_EXAMPLES=OFF -DGRADUS_BUILD_BENCHMARKS=OFF
  build build/libcxx
  run_tests build/libcxx --exclude-regex ^fuzz_
}

# Several processes with Open MPI, more than there are cores, and the example as a user starts it.
mpi() {
  configure build/mpi -DCMAKE_BUILD_TYPE=Release -DGRADUS_MPI=ON -DCMAKE_COMPILE_WARNING_AS_ERROR=ON \
    -DGRADUS_BUILD_BENCHMARKS=OFF
  build build/mpi optim_distributed_test distributed_ranks 16_data_parallel
  run_tests build/mpi --tests-regex optim_distributed
  mpirun --allow-run-as-root --oversubscribe -np 2 build/mpi/examples/16_data_parallel
}
