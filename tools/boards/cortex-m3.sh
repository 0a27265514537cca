# shellcheck shell=sh
# A Cortex-M3 at 25 MHz, QEMU's mps2-an385. Sourced from the repository's root;
# tests/firmware/run says what it defines.
# shellcheck disable=SC2034 # needs, sources
needs='arm-none-eabi-gcc qemu-system-arm'
sources='examples/firmware/board_mps2.c examples/firmware/world.c'

# build OUT [FLAG...] SOURCE...
build() {
    image=$1
    shift
    arm-none-eabi-gcc -mcpu=cortex-m3 -mthumb -Os -g -Wall -Wextra -Werror -I. -Iexamples/firmware \
        -ffreestanding -ffunction-sections -fdata-sections -nostartfiles \
        -T examples/firmware/cortex_m.ld -Wl,--gc-sections "$@" \
        examples/firmware/start_cortex_m.c -o "$image" -nostdlib -lc -lgcc
}

# An instruction takes 32 ns of virtual time, and sleeping takes no other.
run() {
    timeout 60 qemu-system-arm -M mps2-an385 -icount shift=5,sleep=off \
        -nographic -monitor none -serial stdio -kernel "$1" \
        -semihosting-config enable=on,target=native </dev/null
}

# The image of a station that hears you (-DBOARD_TALKS), at the pace of the
# clock on the wall. Ctrl-C ends it.
talk() {
    qemu-system-arm -M mps2-an385 -nographic -monitor none -serial stdio \
        -kernel "$1" -semihosting-config enable=on,target=native
}
