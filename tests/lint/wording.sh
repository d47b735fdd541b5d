#!/bin/bash
# The project speaks of itself alone: no path of a developer's machine, no host of a package registry, nothing unfinished.
set -euo pipefail
cd "$(dirname "$0")/../.."
files() { git ls-files -z --cached --others --exclude-standard -- . ':!tests/lint/wording.sh' ':!tests/*/corpus/*'; }
failed=0
if files | xargs -0 grep -nIE '/(home|root)/[a-z]|registry\.npmjs|deb\.debian\.org|"resolved":'; then
    echo 'These lines name a machine or a registry.' >&2
    failed=1
fi
if files | xargs -0 grep -nIE '\b(TODO|FIXME|XXX)\b'; then
    echo 'These lines say that something is unfinished.' >&2
    failed=1
fi
exit "$failed"
