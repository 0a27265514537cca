#!/bin/sh
# Measures examples/asum.c against sha256sum, against itself and against find
# and xargs, in rounds that alternate between them, and prints the ratios. A
# slow answer is reported, it is no failure. Run it as ./dev bench asum.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
data=$root/build/bench/asum
rounds=${ROUNDS:-5}

if ! command -v hyperfine >/dev/null; then
    echo 'bench: this needs hyperfine; on Debian and Ubuntu: apt install hyperfine' >&2
    exit 1
fi
mkdir -p "$data"
cd "$data"
compile=$(sed -n 's/^ \*     \(cc .*\)/\1/p' "$root/examples/asum.c" | head -n 1)
echo "bench: $compile"
(cd "$root/examples" && sh -c "$(echo "$compile" | sed "s|-o asum|-o '$data/asum'|")")

if [ ! -e ready ]; then
    rm -rf large small
    mkdir large small
    echo 'bench: making 256 files of 4 MiB'
    i=0
    while [ $i -lt 256 ]; do
        head -c 4194304 /dev/urandom >large/$i
        i=$((i + 1))
    done
    echo 'bench: making 100,000 files of 1 KiB'
    i=0
    while [ $i -lt 100 ]; do
        mkdir small/$i
        head -c 1024000 /dev/urandom | split -b 1024 -a 3 - small/$i/
        i=$((i + 1))
    done
    touch ready
fi
echo 'bench: reading all of it once, so that the page cache is warm'
find large small -type f -exec cat {} + >/dev/null

version() {
    "$@" 2>/dev/null | head -n 1
}
if ldd "$(command -v sha256sum)" 2>/dev/null | grep -q libcrypto; then
    linked='linked to libcrypto, as asum is'
else
    linked='not linked to libcrypto: its SHA-256 is its own'
fi
echo "bench: $(version sha256sum --version), $linked"
echo "bench: $(version openssl version), $(version hyperfine --version)"
echo "bench: $(getconf _NPROCESSORS_ONLN) processors, load average$(uptime | sed 's/.*average//')"

sum='sha256sum large/*'
j1='./asum -j1 -r large'
j2='./asum -j2 -r large'
openssl='openssl dgst -sha256 -r large/*'
small='./asum -j2 -r small'
xargs='find small -type f -print0 | xargs -0 -P2'
: >rounds
round=1
while [ "$round" -le "$rounds" ]; do
    printf 'bench: round %d of %d\r' "$round" "$rounds" >&2
    hyperfine --style none --warmup 0 --runs 3 --export-csv times \
        "$sum" "$j1" "$j2" "$openssl" "$small" \
        "$xargs sha256sum" "$xargs -n 500 sha256sum" "$xargs -n 5000 sha256sum" >hyperfine.log 2>&1 ||
        { cat hyperfine.log >&2; exit 1; }
    # the medians, in the order of the commands
    sed 1d times | awk -F, '{ printf "%s ", $(NF - 4) } END { print "" }' >>rounds
    round=$((round + 1))
done
echo >&2

# ratio TEXT A B: median A over median B, B the least of several, in each round
ratio() {
    awk -v a="$2" -v b="$3" '{
        n = split(b, columns, ",")
        least = $columns[1]
        for (i = 2; i <= n; i++)
            if ($columns[i] < least)
                least = $columns[i]
        print $a / least
    }' rounds | sort -n | awk -v text="$1" '
        { value[NR] = $1 }
        END {
            middle = (value[int((NR + 1) / 2)] + value[int(NR / 2) + 1]) / 2
            printf "%-58s %5.2f  (%.2f to %.2f, %d rounds of 3 runs)\n",
                text, middle, value[1], value[NR], NR
        }'
}
echo 'Warm cache; ratios of times, the median of the rounds:'
ratio '1 GiB: asum -j1 / sha256sum                 (at most 1.05)' 2 1
ratio '1 GiB: asum -j1 / asum -j2                  (at least 1.8)' 2 3
ratio '100,000 x 1 KiB: asum -j2 / xargs -P2 *     (at most 1.00)' 5 6,7,8
echo '* find -print0 | xargs -0 -P2 sha256sum: the best of its own batches,'
echo '  -n 500 and -n 5000'
echo 'For comparison, without a target:'
ratio '1 GiB: asum -j1 / openssl dgst -sha256' 2 4
