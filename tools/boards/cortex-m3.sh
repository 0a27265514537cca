# shellcheck shell=sh
# A Cortex-M3 at 25 MHz, QEMU's mps2-an385. Sourced from the
# repository's root; tests/firmware/run says what it defines.
# shellcheck disable=SC2034 # needs, sources
needs='arm-none-eabi-gcc qemu-system-arm'
sources='examples/firmware/board_mps2.c examples/firmware/world.c'
cpu=cortex-m3 emulated=mps2-an385
shift=5 # an instruction takes 2^5 ns of virtual time

# build OUT [FLAG...] SOURCE...
build() {
    image=$1
    shift
    timeout 60 arm-none-eabi-gcc -mcpu=$cpu -mthumb -Os -g \
        -Wall -Wextra -Werror -I. -Iexamples/firmware -ffreestanding \
        -ffunction-sections -fdata-sections -Wl,--gc-sections -nostartfiles \
        -T examples/firmware/cortex_m.ld "$@" \
        examples/firmware/start_cortex_m.c -o "$image" -nostdlib -lc -lgcc
}

# machine SECONDS OUT [OPTION...]: QEMU does not hear that it shall end while
# its clock has no way to go on.
machine() {
    limit=$1 image=$2
    shift 2
    timeout --foreground -k 1 "$limit" qemu-system-arm -M $emulated -kernel "$image" \
        -nographic -monitor none -serial stdio \
        -semihosting-config enable=on,target=native "$@"
    status=$?
    [ $status -ne 137 ] || status=124
    return $status
}

# Sleeping takes no time but the virtual.
run() {
    machine 60 "$1" -icount shift=$shift,sleep=off </dev/null
}

# talk OUT [SECONDS]: a station, built with -DBOARD_TALKS, that you can type to.
# Time is the clock's on the wall. Ctrl-C ends it.
talk() {
    machine "${2:-0}" "$1"
}
