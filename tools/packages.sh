# shellcheck shell=sh disable=SC2154
# What ./dev needs from the system, and what five systems call it. Sourced by
# ./dev: $install (yes, no) says whether it may touch the system, $root is where
# we are.
#
#     need THING... [-- THING...]
#
# returns when the first things are all there, and has tried for the others. A
# thing is a program, a header, or one of those that has() knows.

# A comma separates packages; "-" where the system has it or does not offer it.
#
# thing       Debian 12, Ubuntu        Fedora             Alpine        Arch        macOS
packages='
cc            gcc,libc6-dev            gcc                gcc,musl-dev  gcc         -
c++           g++                      gcc-c++            g++           gcc         -
make          make                     make               make          make        -
cmake         cmake                    cmake              cmake         cmake       cmake
pkg-config    pkg-config               pkgconf-pkg-config pkgconf       pkgconf     pkgconf
cmocka.h      libcmocka-dev            libcmocka-devel    cmocka-dev    cmocka      cmocka
openssl/evp.h libssl-dev               openssl-devel      openssl-dev   openssl     openssl@3
atomic_ops.h  libatomic-ops-dev        libatomic_ops-devel libatomic_ops-dev libatomic_ops libatomic_ops
uv.h          libuv1-dev               libuv-devel        libuv-dev     libuv       libuv
ev.h          libev-dev                libev-devel        libev-dev     libev       libev
event2/event.h libevent-dev            libevent-devel     libevent-dev  libevent    libevent
glib          libglib2.0-dev           glib2-devel        glib-dev      glib2       glib
sdl2          libsdl2-dev              SDL2-devel         sdl2-dev      sdl2        sdl2
nats/nats.h   libnats-dev              -                  -             -           cnats
openssl       openssl                  openssl            openssl       openssl     openssl@3
nats-server   nats-server              nats-server        nats-server   nats-server nats-server
hyperfine     hyperfine                hyperfine          hyperfine     hyperfine   hyperfine
clang         clang                    clang              clang         clang       -
clang-tsan    libclang-rt-dev          compiler-rt        compiler-rt   compiler-rt -
valgrind      valgrind                 valgrind           valgrind      valgrind    -
spin          spin                     -                  -             -           spin
python3       python3                  python3            python3       python      python3
gnuplot       gnuplot-nox,fonts-dejavu-core gnuplot       gnuplot       gnuplot     gnuplot
shellcheck    shellcheck               ShellCheck         shellcheck    shellcheck  shellcheck
avr-gcc       gcc-avr,avr-libc         avr-gcc,avr-libc   gcc-avr,avr-libc avr-gcc,avr-libc -
arm-none-eabi-gcc gcc-arm-none-eabi,libnewlib-arm-none-eabi arm-none-eabi-gcc-cs,arm-none-eabi-newlib gcc-arm-none-eabi,newlib-arm-none-eabi arm-none-eabi-gcc,arm-none-eabi-newlib arm-none-eabi-gcc
riscv64-unknown-elf-gcc gcc-riscv64-unknown-elf,picolibc-riscv64-unknown-elf - - - -
tcc           tcc                      tcc                tcc           tcc         -
musl-gcc      musl-tools               musl-gcc           -             musl        -
sdcc          sdcc,sdcc-ucsim          sdcc               sdcc          sdcc        sdcc
simavr/sim_avr.h libsimavr-dev,libelf-dev simavr-devel       -             simavr      -
arduino-builder arduino-builder,arduino-core-avr - -                  -           -
qemu-system-arm qemu-system-arm        qemu-system-arm    qemu-system-arm qemu-system-arm qemu
qemu-system-riscv32 qemu-system-misc qemu-system-riscv qemu-system-riscv32 qemu-system-riscv qemu
gcc-m32       gcc-12-multilib,g++-12-multilib glibc-devel.i686 -        lib32-gcc-libs -
hiredis/async.h libhiredis-dev         hiredis-devel      hiredis-dev   hiredis     hiredis
aarch64-linux-gnu-gcc gcc-aarch64-linux-gnu,libc6-dev-arm64-cross - - - -
arm-linux-gnueabihf-gcc gcc-arm-linux-gnueabihf,libc6-dev-armhf-cross - - - -
powerpc-linux-gnu-gcc gcc-powerpc-linux-gnu,libc6-dev-powerpc-cross - - - -
riscv64-linux-gnu-gcc gcc-riscv64-linux-gnu,libc6-dev-riscv64-cross - - - -
s390x-linux-gnu-gcc gcc-s390x-linux-gnu,libc6-dev-s390x-cross - - - -
qemu-s390x-static qemu-user-static     qemu-user-static   -             -           -
x86_64-w64-mingw32-gcc gcc-mingw-w64-x86-64 mingw64-gcc,mingw64-winpthreads-static mingw-w64-gcc mingw-w64-gcc mingw-w64
x86_64-w64-mingw32-g++ g++-mingw-w64-x86-64 mingw64-gcc-c++ mingw-w64-gcc mingw-w64-gcc mingw-w64
wine          wine64,wine              wine               wine          wine        -
'

# Homebrew keeps its headers and libraries where cc does not look.
if [ "$(uname)" = Darwin ] && command -v brew >/dev/null; then
    for dir in "$(brew --prefix)" "$(brew --prefix openssl@3)"; do
        export CPATH="$dir/include${CPATH:+:$CPATH}"
        export LIBRARY_PATH="$dir/lib${LIBRARY_PATH:+:$LIBRARY_PATH}"
    done
fi

# Debian keeps servers where only root's shell looks.
export PATH="$PATH:/usr/sbin"

# has THING
has() {
    case $1 in
    *.h) echo "#include <$1>" | cc -E -x c - ;;
    clang-tsan) echo 'int main(void) { return 0; }' |
        clang -fsanitize=thread -x c -o /dev/null - ;;
    glib) pkg-config --exists glib-2.0 ;;
    sdl2) pkg-config --exists sdl2 ;;
    riscv64-unknown-elf-gcc) echo '#include <string.h>' |
        riscv64-unknown-elf-gcc --specs=picolibc.specs -E -x c - ;;
    gcc-m32) echo 'int main(void) { return 0; }' |
        gcc -m32 -x c -o /dev/null - ;;
    *) command -v "$1" ;;
    esac >/dev/null 2>&1
}

# lacking THING...: those that are not there.
lacking() {
    for thing; do
        has "$thing" || printf '%s ' "$thing"
    done
}

# names COLUMN THING...: the packages, as the system of that column calls them.
names() {
    column=$1
    shift
    for thing; do
        echo "$packages" | awk -v thing="$thing" -v column="$column" \
            '$1 == thing && $column != "-" { gsub(",", " ", $column); printf "%s ", $column }'
    done
}

need() {
    required=
    while [ $# -gt 0 ] && [ "$1" != -- ]; do
        required="$required $1"
        shift
    done
    [ $# -eq 0 ] || shift
    # shellcheck disable=SC2086 # a list
    get $required || return 1
    [ $# -eq 0 ] || get "$@" || echo "dev: going on without" >&2
}

# get THING...: installs what is missing, or says how; fails if it stays so.
# shellcheck disable=SC2046,SC2086 # lists of words
get() {
    missing=$(lacking "$@")
    [ -n "$missing" ] || return 0
    sudo=
    [ "$(id -u)" = 0 ] || sudo='sudo '
    if has apt-get; then
        how="${sudo}apt-get install $(names 2 $missing)"
        if [ "$install" = yes ] && { [ -z "$sudo" ] || has sudo; }; then
            apt_install $(names 2 $missing)
            missing=$(lacking $missing)
        fi
    elif has dnf; then
        how="${sudo}dnf install $(names 3 $missing)"
    elif has apk; then
        how="${sudo}apk add $(names 4 $missing)"
    elif has pacman; then
        how="${sudo}pacman -S $(names 5 $missing)"
    elif has brew; then
        how="brew install $(names 6 $missing)"
    else
        how="your system's package manager"
    fi
    [ -z "$missing" ] || {
        echo "dev: not here: ${missing% }. To get that: $how" >&2
        return 1
    }
}

apt_install() {
    echo "dev: installing $* (by apt-get; --no-install avoids it)" >&2
    log=$root/build/install.log
    mkdir -p "$root/build"
    $sudo sh -c 'export DEBIAN_FRONTEND=noninteractive
        apt-get update &&
        apt-get install -y --no-install-recommends -o DPkg::Lock::Timeout=120 "$@"
    ' sh "$@" >"$log" 2>&1 </dev/null || {
        tail -n 15 "$log" >&2
        echo "dev: apt-get failed; the whole log is $log" >&2
        return 1
    }
}
