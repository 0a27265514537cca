# shellcheck shell=sh
# The same board by clang, whose objects arm-none-eabi-gcc links. Sourced from
# the repository's root; tests/firmware/run says what it defines.
# shellcheck disable=SC2034 # needs, sources
. tools/boards/cortex-m0.sh
needs="clang $needs"

# build OUT [FLAG...] SOURCE...
# shellcheck disable=SC2086 # lists of words
build() {
    image=$1 flags='' objects=''
    shift
    for word in "$@" examples/firmware/start_cortex_m.c; do
        case $word in
        -*)
            flags="$flags $word"
            continue
            ;;
        esac
        object=$image.$(basename "$word").o
        clang --target=thumbv6m-none-eabi -mcpu=cortex-m0 -Os -g -Wall -Wextra \
            -Werror -I. -Iexamples/firmware -ffreestanding -fshort-enums -ffunction-sections \
            -fdata-sections \
            $flags -c "$word" -o "$object" || return
        objects="$objects $object"
    done
    arm-none-eabi-gcc -mcpu=cortex-m0 -mthumb -nostartfiles \
        -T examples/firmware/cortex_m.ld -Wl,--gc-sections -Wl,-z,noexecstack \
        $objects -o "$image" -nostdlib -lc -lgcc
}
