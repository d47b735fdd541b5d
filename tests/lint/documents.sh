#!/bin/bash
# What the documents about the code name is there: files, folders and functions; and what documents link to.
# shellcheck disable=SC2016
set -euo pipefail
cd "$(dirname "$0")/../.."
failed=0
complain() {
    echo "$1" >&2
    failed=1
}

for document in docs/architecture.md CONTRIBUTING.md; do
    while IFS= read -r name; do
        [ -e "$name" ] || complain "$document: there is no $name"
    done < <(grep -oE '`(src|sql|tests|scripts|docs|etc|bench|www)/[A-Za-z0-9_./-]+' "$document" | tr -d '`' | sort -u)
    while IFS= read -r name; do
        grep -rqwF -- "${name#tuplecast.}" src sql || complain "$document: there is no function $name()"
    done < <(grep -oE '`[a-z_.]+\(\)`' "$document" | tr -d '`()' | grep -vE '^(send)$' | sort -u)
done

# A path in src/README.md is below src/, or beside it. The last part of `name.{c,h}` is left out.
while IFS= read -r name; do
    [ -e "src/$name" ] || [ -e "$name" ] || [ -n "$(find src -name "$name" -print -quit)" ] || complain "src/README.md: there is no $name"
done < <(grep -oE '`[A-Za-z0-9_/-]+\.[chj]s?`' src/README.md | tr -d '`' | sort -u)

while IFS= read -r document; do
    while IFS= read -r link; do
        [ -e "$(dirname "$document")/$link" ] || complain "$document: the link to $link leads nowhere"
    done < <(grep -oE '\]\([^)#:]+' "$document" | cut -c3- | grep -vx 'https\?' | sort -u)
done < <(git ls-files '*.md')
exit "$failed"
