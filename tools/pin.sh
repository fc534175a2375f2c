#!/bin/sh
# Compile the exact pins of requirements*.txt from the dependency groups of pyproject.toml.
set -eu
compile() {
    out=$1
    shift
    uv pip compile --quiet --universal --python-version 3.11 --fork-strategy fewest \
        --custom-compile-command "make pin" --no-emit-index-url --no-emit-find-links \
        "$@" --output-file "$out"
}
compile requirements.txt --group chapters --group press --group web --group lab --group test --group api --group build
compile requirements-ci.txt --group ci --constraint requirements.txt
