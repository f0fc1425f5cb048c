#!/usr/bin/env bash
# Wheels for Linux on x86-64 and ARM, for every Python from 3.10 and glibc from 2.17, into
# target/wheels. The processor's instructions are chosen when the package is used.
#
#     pip install "maturin>=1.14,<2" ziglang
#     rustup target add x86_64-unknown-linux-gnu aarch64-unknown-linux-gnu
#     bindings/python/wheels.sh [x86_64|aarch64]...
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

most=$((25 * 1024 * 1024))
for processor in "${@:-x86_64 aarch64}"; do
    for own in $processor; do
        # zig links against an old glibc, whatever this machine has.
        maturin build --release --zig --target "$own-unknown-linux-gnu" \
            --compatibility manylinux2014 --out ../../target/wheels
    done
done
for wheel in ../../target/wheels/*manylinux*.whl; do
    size="$(stat -c %s "$wheel")"
    echo "$(basename "$wheel"): $size bytes"
    if [[ "$size" -gt "$most" ]]; then
        echo "error: more than 25 MB" >&2
        exit 1
    fi
done
