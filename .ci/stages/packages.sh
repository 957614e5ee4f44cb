# Stages for those who use gradus in a project of theirs.

# consumer NAME CMAKE ARGUMENT...: builds and runs tests/package.
consumer() {
  cmake -S tests/package -B "$scratch/$1" "${@:2}" >/dev/null
  build "$scratch/$1"
  (cd "$scratch/$1" && ./consumer && ./predict parity.safetensors)
}

static_package() {
  after release
  cmake --install "$release_dir" --prefix "$scratch/static" >/dev/null
  consumer find-static -DCMAKE_PREFIX_PATH="$scratch/static"
  with_pkg_config "$scratch/static"
}

# with_pkg_config PREFIX: the same program, built without CMake.
with_pkg_config() {
  local flags
  read -ra flags < <(PKG_CONFIG_PATH=$(dirname "$(find "$1" -name gradus.pc)") pkg-config --cflags --libs gradus)
  c++ tests/package/main.cpp -o "$scratch/by-pkg-config" "${flags[@]}" -Wl,-rpath,"$(dirname "$(find "$1" -name 'libgradus_core.*' -print -quit)")"
  (cd "$scratch" && ./by-pkg-config)
}

shared_package() {
  configure build/shared "${optimised[@]}" "${library_and_tests[@]}" -DBUILD_SHARED_LIBS=ON
  build build/shared
  run_tests build/shared --exclude-regex '^(checks|fuzz)_'
  cmake --install build/shared --prefix "$scratch/shared" >/dev/null
  consumer find-shared -DCMAKE_PREFIX_PATH="$scratch/shared"
  with_pkg_config "$scratch/shared"
}

subdirectory() {
  consumer subdirectory -DCMAKE_BUILD_TYPE=Debug -DGRADUS_SOURCE="$root"
  cmake -S tests/package -B "$scratch/no-build-type" -DGRADUS_SOURCE="$root" >/dev/null  # checks how it would be compiled
}

# Each part that is on by default left out, and the others taken, with FetchContent; nothing taken, for one instruction
# set, in a static program of at most 1 MB, which cannot train.
parts() {
  local part size unoptimised=(-DCMAKE_BUILD_TYPE=Debug -DCMAKE_CXX_FLAGS_DEBUG=-O0)
  for part in BLAS=OFF THREADS=OFF FILES_ZIP=OFF FILES_GZIP=OFF FILES_CSV=OFF ONNX=ON; do
    consumer "$part" "${unoptimised[@]}" -DGRADUS_SOURCE="$root" -DGRADUS_FETCH=ON "-DGRADUS_$part" |
      tee "$scratch/output"
    grep -q "GRADUS_$part" "$scratch/output"
  done
  consumer mpi "${unoptimised[@]}" -DGRADUS_SOURCE="$root" -DGRADUS_FETCH=ON -DGRADUS_MPI=ON
  mpirun --allow-run-as-root --oversubscribe -np 3 "$scratch/mpi/ranks" | tee "$scratch/output"
  grep -qx "processes: 3" "$scratch/output"
  cmake -S tests/package -B "$scratch/least" -DCMAKE_BUILD_TYPE=MinSizeRel -DGRADUS_SOURCE="$root" -DGRADUS_FETCH=ON \
    -DGRADUS_STATIC=ON -DGRADUS_INSTRUCTION_SETS=avx2 -DGRADUS_AUTOGRAD=OFF -DGRADUS_BLAS=OFF -DGRADUS_THREADS=OFF \
    -DGRADUS_FILES_ZIP=OFF -DGRADUS_FILES_GZIP=OFF -DGRADUS_FILES_CSV=OFF >/dev/null
  build "$scratch/least"
  "$scratch/least/predict" "$scratch/BLAS=OFF/parity.safetensors"
  ! "$scratch/least/consumer" 2>"$scratch/output" || false
  grep -q GRADUS_AUTOGRAD=ON "$scratch/output"
  ! cmake -S . -B "$scratch/unknown" -DGRADUS_INSTRUCTION_SETS="avx2;sse9" >/dev/null 2>"$scratch/output" || false
  grep -q "'sse9' is none of" "$scratch/output"
  size=$(stat -c %s "$scratch/least/predict")
  echo "a static program that predicts: $size bytes"
  ((size <= 1000000))  # of which glibc and the C++ library are 0.75 MB
}

# The packages for this Debian, in a copy of the system that is thrown away.
deb() {
  ((EUID == 0)) || missing root
  after shared_package  # which compiles the same
  in_system / "$scratch/deb" env -C "$root" CCACHE_DIR="${CCACHE_DIR:-$HOME/.cache/ccache}" tests/package/deb build/deb \
    "${strict[@]}"
}

# The reference of the public headers, without a warning.
docs() {
  configure build/docs "${library_alone[@]}"
  build build/docs docs
}
