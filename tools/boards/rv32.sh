# shellcheck shell=sh disable=SC2034
# rv32: QEMU's RISC-V machine, virt. An instruction takes 64 ns, as on a small
# microcontroller; nobody waits while it sleeps, so that a run repeats to the
# digit and takes no longer than it must. Sourced from the repository's root.

needs='riscv64-unknown-elf-gcc qemu-system-riscv32'

# build OUT [FLAG...] SOURCE...  (-misa-spec: rv32imac has the csr instructions)
build() {
    out=$1
    shift
    riscv64-unknown-elf-gcc --specs=picolibc.specs -march=rv32imac -mabi=ilp32 -misa-spec=2.2 \
        -std=c99 -Os -g -Wall -Wextra -Werror -I. -Iexamples/firmware -ffreestanding \
        -ffunction-sections -fdata-sections -Wl,--gc-sections -nostdlib \
        -T examples/firmware/virt.ld examples/firmware/start_virt.c "$@" -lc -lgcc -o "$out"
}

# run OUT: 0 passed, 99 a fault, 124 a hang.
run() {
    timeout 60 qemu-system-riscv32 -M virt -bios none -icount shift=6,sleep=off \
        -display none -monitor none -serial stdio -kernel "$1" </dev/null
}
