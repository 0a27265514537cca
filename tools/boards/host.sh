# shellcheck shell=sh disable=SC2034
# This computer, with a clock that jumps. Sourced from the repository's root;
# tests/firmware/run says what it defines.
needs=cc
sources='examples/firmware/board_host.c examples/firmware/world.c'

build() {
    image=$1
    shift
    case " $* " in
    *' c++ '*) set -- -std=c++11 "$@" ;;
    *) set -- -std=c99 "$@" ;;
    esac
    timeout 60 cc -Os -Wall -Wextra -Werror -I. -Iexamples/firmware "$@" -o "$image"
}

# What a signal ends has faulted.
run() {
    timeout 5 "$@" </dev/null
    status=$?
    if [ $status -gt 124 ]; then
        status=99
    fi
    return $status
}
