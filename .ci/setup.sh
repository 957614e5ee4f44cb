# Sourced by examples/run, tests/run and .ci/run: the packages of gradus on Debian, and its Release build.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
release_dir=$root/build/release

libraries=(libxtensor-dev libxsimd-dev nlohmann-json3-dev libzip-dev zlib1g-dev libcsv-dev libopenblas-dev
           libcli11-dev libgtest-dev libbenchmark-dev gnuplot-nox)

# Names of the packages that are still to be installed: the given ones, in the order given.
missing_packages() {
  local package
  for package in "$@"; do
    [[ $(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null) == installed ]] || echo "$package"
  done
}

# Packages of the build tools that no program on PATH stands for.
missing_tools() {
  command -v c++ >/dev/null || echo g++
  command -v cmake >/dev/null || echo cmake
  command -v pkg-config >/dev/null || echo pkg-config
  command -v ninja >/dev/null || command -v make >/dev/null || echo ninja-build
}

install_packages() {
  if ! command -v apt-get >/dev/null; then
    echo "No apt-get here: gradus needs a C++20 compiler, CMake, pkg-config and, as Debian names them, $*"
    return
  fi
  local missing sudo=()
  mapfile -t missing < <(missing_tools; missing_packages "$@")
  ((${#missing[@]})) || return 0
  ((EUID == 0)) || sudo=(sudo)
  echo "Installing ${missing[*]}"
  "${sudo[@]}" apt-get update -qq
  "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}"
}

# configure FOLDER [CMAKE ARGUMENT]...
configure() {
  local folder=$1 generator=()
  [[ -f $folder/CMakeCache.txt ]] || ! command -v ninja >/dev/null || generator=(-G Ninja)
  cmake -S "$root" -B "$folder" "${generator[@]}" "${@:2}" >/dev/null
}

# build FOLDER [TARGET]...
build() {
  local targets=()
  (($# > 1)) && targets=(--target "${@:2}")
  cmake --build "$1" --parallel "$(nproc)" "${targets[@]}"
}
