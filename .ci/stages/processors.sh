# Stages for other processors and systems, with cross compilers.

without_parts=(-DGRADUS_BLAS=OFF -DGRADUS_FILES_ZIP=OFF -DGRADUS_FILES_GZIP=OFF -DGRADUS_FILES_CSV=OFF)

# header_packages FOLDER: makes a folder with the header-only libraries alone, for compilers that must not see the others in
# /usr/include, and sets the array `packages` to what tells CMake of it.
header_packages() {
  packages=("-DGTest_DIR=$1/lib/cmake/GTest")
  mkdir -p "$1/include"
  ln -sfn -t "$1/include" /usr/include/{xsimd,nlohmann,CLI}
  local target name
  for target in xsimd nlohmann_json::nlohmann_json CLI11::CLI11; do
    name=${target%%::*}
    mkdir -p "$1/$name"
    printf 'add_library(%s INTERFACE IMPORTED)\nset_target_properties(%s PROPERTIES INTERFACE_INCLUDE_DIRECTORIES "%s")\n' \
      "$target" "$target" "$1/include" >"$1/$name/${name}Config.cmake"
    packages+=("-D${name}_DIR=$1/$name")
  done
}

# googletest FOLDER CMAKE ARGUMENT...: builds and installs GoogleTest with another compiler.
googletest() {
  cmake -S /usr/src/googletest -B "$1/googletest" -DCMAKE_BUILD_TYPE=Release -DCMAKE_INSTALL_PREFIX="$1" \
    -DBUILD_GMOCK=OFF "${@:2}" >/dev/null
  build "$1/googletest" install >/dev/null
}

# build_some FOLDER REGEX: the tests whose names match.
build_some() {
  local tests
  mapfile -t tests < <(ctest --test-dir "$1" -N --tests-regex "$2" | sed -nE 's/^ *Test +#[0-9]+: //p')
  cmake --build "$1" --parallel "$(nproc)" --target "${tests[@]}"
}

# same_text PROGRAM COMMAND...: COMMAND prints what PROGRAM prints in a build on this machine. PROGRAM is a lesson, or `bits`:
# sums over the bits of weights after training and of single results.
same_text() {
  (
    flock 9
    configure build/here "${optimised[@]}" -DGRADUS_BUILD_TESTS=OFF -DGRADUS_BLAS=OFF
    build build/here "$1"
  ) 9>"$logs/here.lock"
  diff <(find build/here -name "$1" -type f -exec {} \;) <("${@:2}" | tr -d '\r') && echo "$1: the same text"
}

# ARM64 under qemu: kernels (NEON and plain), BatchNorm, random numbers, printing, files; and all bits as here.
arm64() {
  command -v aarch64-linux-gnu-g++ >/dev/null && command -v qemu-aarch64 >/dev/null ||
    missing g++-aarch64-linux-gnu and qemu-user
  local packages prefix=$kept/arm64 cross=(
    -DCMAKE_SYSTEM_NAME=Linux -DCMAKE_SYSTEM_PROCESSOR=aarch64 -DCMAKE_CXX_COMPILER=aarch64-linux-gnu-g++
    -DCMAKE_C_COMPILER=aarch64-linux-gnu-gcc "-DCMAKE_CROSSCOMPILING_EMULATOR=qemu-aarch64;-L;/usr/aarch64-linux-gnu")
  header_packages "$prefix"
  googletest "$prefix" "${cross[@]}"
  configure build/arm64 "${cross[@]}" "${packages[@]}" "${optimised[@]}" "${without_parts[@]}" \
    -DGRADUS_BUILD_EXAMPLES=OFF -DGRADUS_INSTRUCTION_SETS=all
  local tests='^(core_(kernels|elementwise|gelu|layout|product|sums|softmax|softmax_kernels|transcendental|isa|fused_product|generator|random|print|state_dict|file|safetensors|value_json)|nn_(batch_norm|batch_norm_kernels|batch_norm_module|cross_entropy_kernels|repr|init)|optim_(steps|sgd|adam))_test$'
  build_some build/arm64 "$tests"
  run_tests build/arm64 --tests-regex "$tests"
  build build/arm64 bits
  local emulator=(qemu-aarch64 -L /usr/aarch64-linux-gnu)
  same_text bits "${emulator[@]}" build/arm64/tests/bits
  same_text bits env GRADUS_ISA=plain "${emulator[@]}" build/arm64/tests/bits
}

# WebAssembly in node, with and without its vectors: the lesson prints what it prints here, and all bits are as here. Sizes
# have 32 bits there, which some tests are run for.
webassembly() {
  command -v emcc >/dev/null || systems_possible || missing emscripten 3.1.69, or root and mmdebstrap
  local packages prefix=$kept/webassembly tests=(core_{tensor,shape,index,safetensors,value_json}_test nn_batch_norm_module_test)
  header_packages "$prefix"
  mkdir -p "$prefix/source"
  cp -r /usr/src/googletest/. "$prefix/source"
  with_emscripten emcmake cmake -S "$prefix/source" -B "$prefix/googletest" -G Ninja -DCMAKE_BUILD_TYPE=Release -DBUILD_GMOCK=OFF \
    -DCMAKE_INSTALL_PREFIX="$prefix" -DCMAKE_CXX_FLAGS=-fwasm-exceptions -Dgtest_disable_pthreads=ON >/dev/null
  with_emscripten ninja -C "$prefix/googletest" install >/dev/null

  wasm plain "-fwasm-exceptions" "${quickly[@]}"
  wasm simd "-fwasm-exceptions -msimd128" "${optimised[@]}"
  with_emscripten ninja -C build/webassembly/plain "${tests[@]}"
  with_emscripten ctest --test-dir build/webassembly/plain --tests-regex "^($(IFS='|' && echo "${tests[*]}"))$" \
    --output-on-failure --no-tests=error
}

# wasm NAME FLAGS CMAKE ARGUMENT...
wasm() {
  with_emscripten emcmake cmake -S . -B "build/webassembly/$1" -G Ninja "${@:3}" \
    -DCMAKE_CXX_FLAGS="$2" -DCMAKE_EXE_LINKER_FLAGS="-sALLOW_MEMORY_GROWTH -sSTACK_SIZE=4MB -sNODERAWFS" \
    "${packages[@]}" "${without_parts[@]}" -DGRADUS_THREADS=OFF >/dev/null
  with_emscripten ninja -C "build/webassembly/$1" 06_batch_norm_by_hand bits
  same_text bits with_emscripten node "build/webassembly/$1/tests/bits.js"
  same_text 06_batch_norm_by_hand with_emscripten node "build/webassembly/$1/examples/06_batch_norm_by_hand.js"
}

# Windows, by MinGW and wine: training, files, and all bits as here with each instruction set.
windows() {
  command -v x86_64-w64-mingw32-g++-posix >/dev/null || missing g++-mingw-w64-x86-64-posix
  local isa packages wine
  header_packages "$kept/windows"
  configure build/windows -DCMAKE_SYSTEM_NAME=Windows -DCMAKE_SYSTEM_PROCESSOR=x86_64 \
    -DCMAKE_CXX_COMPILER=x86_64-w64-mingw32-g++-posix "${packages[@]}" "${optimised[@]}" \
    -DCMAKE_EXE_LINKER_FLAGS=-static "${without_parts[@]}" \
    -DGRADUS_BUILD_TESTS=OFF -DGRADUS_INSTRUCTION_SETS=all
  cmake --build build/windows --parallel "$(nproc)" --target 03_train_mlp bits
  wine=/usr/lib/wine/wine64  # Debian's
  [[ -x $wine ]] || missing wine64
  export WINEPREFIX=$scratch/wine WINEDEBUG=-all
  for isa in plain sse2 avx2; do same_text bits env "GRADUS_ISA=$isa" "$wine" build/windows/tests/bits.exe; done
  local program=$root/build/windows/examples/03_train_mlp.exe
  cd "$scratch"
  "$wine" "$program" --epochs 2 --save mlp.safetensors
  "$wine" "$program" --eval mlp.safetensors
  /usr/lib/wine/wineserver64 -w  # which ends some seconds after its programs
}
