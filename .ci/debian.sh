# Sourced: other releases of Debian beside the machine's own system, as chroots. Each is made once with mmdebstrap and kept,
# with the packages that were fetched, in ~/.cache/gradus; what is done in it goes to a layer of its own and leaves it as it was.

systems=${XDG_CACHE_HOME:-$HOME/.cache}/gradus

# Whether they can be made: by root, where root may mount.
systems_possible() { ((EUID == 0)) && command -v mmdebstrap >/dev/null && unshare --mount --pid --fork true 2>/dev/null; }

# The archive that this machine gets its packages from, when that is Debian's; else mmdebstrap takes its default.
debian_mirror() {
  apt-get indextargets --format '$(SITE)' 'Created-By: Packages' 'Origin: Debian' 'Label: Debian' 2>/dev/null |
    sort | uniq -c | sort -rn | awk 'NR == 1 {print $2}'
}

# once FOLDER COMMAND...: COMMAND makes FOLDER.new, unless FOLDER is there. Two callers wait for each other.
once() {
  mkdir -p "$(dirname "$1")"
  (
    flock 9
    [[ ! -d $1 ]] || exit 0
    rm -rf --one-file-system "$1.new"
    "${@:2}"
    mv "$1.new" "$1"
  ) 9>"$1.lock"
}

# make_system SUITE FOLDER [SOURCE]...
make_system() {
  mmdebstrap --quiet --variant=minbase --include=apt,ca-certificates --aptopt='APT::Keep-Downloaded-Packages "true"' \
    "$1" "$2" "${@:3}"
}

# in_system FOLDER LAYER COMMAND...: runs COMMAND as root in the system whose root is FOLDER; what it writes goes to the folder
# LAYER instead. A layer made before can be put below it: `below=LAYER in_system …`. The folders of the array
# `shared_folders` are those outside. What ccache keeps is in ~/.cache/gradus, too. Systems share what apt-get fetches, which
# fails where another one fetches: they take turns.
in_system() {
  mkdir -p "$systems"/{archives,ccache} "$2"/{changes,work,system}
  env -i OPENBLAS_CORETYPE="${OPENBLAS_CORETYPE:-}" PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root \
    LANG=C.UTF-8 \
    CMAKE_CXX_COMPILER_LAUNCHER="${CMAKE_CXX_COMPILER_LAUNCHER:-}" CCACHE_DIR=/var/cache/ccache CCACHE_BASEDIR="$root" \
    CCACHE_NOHASHDIR=1 DEBIAN_FRONTEND=noninteractive unshare --mount --pid --fork --kill-child bash -euc '
      system=$2/system
      mount -t overlay overlay -o "lowerdir=$1,upperdir=$2/changes,workdir=$2/work" "$system"
      mount --rbind /dev "$system/dev"
      mount -t proc proc "$system/proc"
      if [[ $1 != / ]]; then
        mount --bind "$3/archives" "$system/var/cache/apt/archives"
        printf "%s\n" "#!/bin/sh" "exec flock /var/cache/apt/archives/turn /usr/bin/apt-get \"\$@\"" >"$system/usr/local/bin/apt-get"
        chmod +x "$system/usr/local/bin/apt-get"
      fi
      mkdir -p "$system/var/cache/ccache" && mount --bind "$3/ccache" "$system/var/cache/ccache"
      [[ $1 == / ]] || cp --dereference /etc/resolv.conf /etc/hosts "$system/etc/"
      while read -r folder; do
        [[ ! $folder ]] || { mkdir -p "$system$folder" && mount --bind "$folder" "$system$folder"; }
      done <<<"$4"
      exec chroot "$system" "${@:5}"
    ' - "${below:+$below/changes:}$1" "$2" "$systems" "$(printf '%s\n' "${shared_folders[@]}")" "${@:3}"
}
shared_folders=()

# in_release SUITE LAYER COMMAND...: COMMAND in a system of that release. The array `sources` tells where it is to be had, when
# not from the archive of this machine.
in_release() {
  ((${#sources[@]})) || mapfile -t sources < <(debian_mirror)
  once "$systems/$1" make_system "$1" "$systems/$1.new" "${sources[@]}"
  in_system "$systems/$1" "${@:2}"
}
sources=()

make_emscripten() {
  in_release trixie "$systems/emscripten.new" bash -euc '
    apt-get update -qq
    apt-get install -y -qq --no-install-recommends emscripten ccache cmake ninja-build nlohmann-json3-dev libxsimd-dev libcli11-dev \
      >/dev/null'
}

# with_emscripten COMMAND...: runs COMMAND in the current folder where emcc is 3.1.69 or newer: here, or in Debian 13, which
# sees this repository, and the folder `scratch` where that is set, under their own paths.
with_emscripten() {
  if printf '3.1.69\n%s\n' "$(emcc --version 2>/dev/null | sed -nE '1s/.* ([0-9.]+) .*/\1/p')" | sort -CV; then
    "$@"
    return
  fi
  once "$systems/emscripten" make_emscripten
  local layer shared_folders=("$root" "${scratch:-}") status=0
  layer=$(mktemp -d)
  below=$systems/emscripten in_release trixie "$layer" env -C "$PWD" "$@" || status=$?
  rm -rf --one-file-system "$layer"
  return $status
}
