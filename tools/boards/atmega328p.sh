# shellcheck shell=sh
# ATmega328P at 16 MHz, in simavr. Sourced from the repository's root.
# shellcheck disable=SC2034 # for who sources it
needs='cc avr-gcc simavr/sim_avr.h'
sources=examples/firmware/board_avr.c

# build OUT [FLAG...] SOURCE...: the image of a program, and beside it the
# simulator.
build() {
    image=$1 simavr=$(dirname "$1")/simavr
    shift
    [ -x "$simavr" ] || timeout 60 cc -std=gnu11 -O2 -Wall -Wextra -Werror \
        -Iexamples/firmware examples/firmware/simavr.c \
        examples/firmware/world.c -lsimavr -o "$simavr" || return
    timeout 60 avr-gcc -mmcu=atmega328p -DASYNC_TIME_BITS=16 -std=c99 -Os \
        -ffreestanding -ffunction-sections -fdata-sections -Wl,--gc-sections \
        -Wall -Wextra -Werror -I. -Iexamples/firmware \
        "$@" examples/firmware/start_avr.c -o "$image"
}

# run OUT: runs it; its status is the image's.
run() {
    timeout 120 "$(dirname "$1")/simavr" "$1" </dev/null
}
