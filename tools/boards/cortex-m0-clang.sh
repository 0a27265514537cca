# shellcheck shell=sh
# The same board by clang, whose objects arm-none-eabi-gcc links. Sourced from
# the repository's root; tests/firmware/run says what it defines.
# shellcheck disable=SC2034 # needs
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
        timeout 60 clang --target=thumbv6m-none-eabi -mcpu=cortex-m0 -Os -g \
            -Wall -Wextra -Werror -I. -Iexamples/firmware -ffreestanding \
            -ffunction-sections -fdata-sections -fshort-enums $flags \
            -c "$word" -o "$object" || return
        objects="$objects $object"
    done
    timeout 60 arm-none-eabi-gcc -mcpu=cortex-m0 -mthumb -Wl,--gc-sections \
        -nostartfiles -T examples/firmware/cortex_m.ld -Wl,-z,noexecstack \
        $objects -o "$image" -nostdlib -lc -lgcc
}
