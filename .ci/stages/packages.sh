# Stages for those who use gradus in a project of theirs.

# consumer NAME CMAKE ARGUMENT...: builds and runs tests/package.
consumer() {
  cmake -S tests/package -B "$scratch/$1" "${@:2}" >/dev/null
  build "$scratch/$1"
  "$scratch/$1/consumer"
}

static_package() {
  after release
  cmake --install "$release_dir" --prefix "$scratch/static" >/dev/null
  consumer find-static -DCMAKE_PREFIX_PATH="$scratch/static"
}

shared_package() {
  configure "$scratch/build-shared" -DCMAKE_BUILD_TYPE=Debug -DBUILD_SHARED_LIBS=ON -DCMAKE_INSTALL_PREFIX="$scratch/shared" \
    -DGRADUS_BUILD_TESTS=OFF -DGRADUS_BUILD_EXAMPLES=OFF -DGRADUS_BUILD_BENCHMARKS=OFF
  build "$scratch/build-shared"
  cmake --install "$scratch/build-shared" >/dev/null
  consumer find-shared -DCMAKE_PREFIX_PATH="$scratch/shared"
}

subdirectory() {
  consumer subdirectory -DCMAKE_BUILD_TYPE=Debug -DGRADUS_SOURCE="$root"
  cmake -S tests/package -B "$scratch/no-build-type" -DGRADUS_SOURCE="$root" >/dev/null  # checks how it would be compiled
}
