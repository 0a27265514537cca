# shellcheck shell=sh
# A Cortex-M0 at 16 MHz, the nRF51 of QEMU's microbit. Sourced from the
# repository's root; tests/firmware/run says what it defines.
# shellcheck disable=SC2034 # sources; and what the other one's functions take
. tools/boards/cortex-m3.sh
sources='examples/firmware/board_microbit.c examples/firmware/world.c'
cpu=cortex-m0 emulated=microbit shift=6
