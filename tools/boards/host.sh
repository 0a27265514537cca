# shellcheck shell=sh disable=SC2034 # sourced: see tests/firmware/run
# This computer, with a clock that jumps.
needs=cc

build() {
    out=$1
    shift
    case " $* " in
    *' c++ '*) set -- -std=c++11 "$@" ;;
    *) set -- -std=c99 "$@" ;;
    esac
    cc -Os -Wall -Wextra -Werror -I. "$@" -o "$out"
}

# What a signal ends has faulted.
run() {
    timeout 20 "$@"
    status=$?
    [ $status -lt 128 ] || status=99
    return $status
}
