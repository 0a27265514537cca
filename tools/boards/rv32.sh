# shellcheck shell=sh
# A RISC-V core of 32 bits, QEMU's virt. Sourced from the repository's root;
# tests/firmware/run says what it defines.
# shellcheck disable=SC2034 # needs, sources
needs='riscv64-unknown-elf-gcc qemu-system-riscv32'
sources='examples/firmware/board_virt.c examples/firmware/world.c'

# build OUT [FLAG...] SOURCE...
# -misa-spec=2.2: reading and writing control registers is a part of rv32i.
build() {
    image=$1
    shift
    riscv64-unknown-elf-gcc --specs=picolibc.specs -march=rv32imac -misa-spec=2.2 -mabi=ilp32 \
        -Os -g -Wall -Wextra -Werror -I. -Iexamples/firmware \
        -ffreestanding -ffunction-sections -fdata-sections -nostartfiles \
        -T examples/firmware/virt.ld -Wl,--gc-sections "$@" \
        examples/firmware/start_virt.c -o "$image" -nostdlib -lc -lgcc
}

# machine SECONDS OUT [OPTION...]: QEMU does not hear that it shall end while
# its clock has no way to go on.
machine() {
    limit=$1 image=$2
    shift 2
    timeout --foreground -k 1 "$limit" qemu-system-riscv32 -M virt -bios none \
        -kernel "$image" -nographic -monitor none -serial stdio "$@"
    status=$?
    [ $status -ne 137 ] || status=124
    return $status
}

# An instruction takes 64 ns of virtual time, as on a microcontroller of 16 MHz,
# and sleeping takes no other.
run() {
    machine 60 "$1" -icount shift=6,sleep=off </dev/null
}

# talk OUT [SECONDS]: a station, built with -DBOARD_TALKS, that you can type to.
# Time is the clock's on the wall. Ctrl-C ends it.
talk() {
    machine "${2:-0}" "$1"
}
