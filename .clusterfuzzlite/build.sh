#!/bin/bash -eu
# The programs of the fuzz targets, each with its corpus.
cd "$SRC/ace-connection-logger"
cargo fuzz build -O --debug-assertions
for program in fuzz/fuzz_targets/*.rs; do
    target=$(basename "$program" .rs)
    cp "fuzz/target/x86_64-unknown-linux-gnu/release/$target" "$OUT/"
    zip -q -j -r "$OUT/${target}_seed_corpus.zip" "fuzz/corpus/$target"
done
