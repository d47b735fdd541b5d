#!/bin/bash
# Every C file is as clang-format (Debian 12's, by .clang-format) would write it.
set -euo pipefail
cd "$(dirname "$0")/../.."
find src tests bench -path '*/node_modules' -prune -o -name '*.[ch]' -print0 | xargs -0 clang-format --dry-run --Werror
