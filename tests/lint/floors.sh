#!/bin/bash
# Includes go down only; the two wings of floor 3 never meet; third-party headers stay in their folder; every file is of a size
# that one can read. src/README.md draws the picture.
set -euo pipefail
cd "$(dirname "$0")/../../src"

failed=0
complain() {
    echo "$1" >&2
    failed=1
}

# The folders from the bottom up. Each may include itself and those before it, but for the wings.
folders=(base confine loop config stream access triggers postgres http)
declare -A floor
for i in "${!folders[@]}"; do floor[${folders[i]}]=$i; done

while IFS=: read -r file line; do
    folder=${file%%/*}
    [ "$folder" != "$file" ] || continue # main.c and gateway.c see everything
    target=${line#*\"}
    target=${target%%/*}
    if [ -z "${floor[$target]-}" ] || [ "${floor[$target]}" -gt "${floor[$folder]}" ]; then
        complain "$file: includes upwards: $line"
    elif [ "$folder" = http ] && [ "$target" = postgres ]; then
        complain "$file: the wings must not meet: $line"
    elif [ "$folder" = config ] && [ "$target" = loop ]; then
        complain "$file: config/ and loop/ are on one floor: $line"
    fi
done < <(grep -rEo '^#include "[^"]+"' --include='*.[ch]' . | sed 's|^\./||')

# header, and the folder it may be included in
while read -r header folder; do
    while IFS= read -r file; do
        case $file in
        ./"$folder"/*) ;;
        *) complain "$file: <$header> belongs to $folder/" ;;
        esac
    done < <(grep -rlE "^#include <$header" --include='*.[ch]' . || true)
done <<'END'
microhttpd http
libpq-fe postgres
libconfig config
seccomp confine
sys/capability confine
openssl access
END
grep -rlE '^#include <json-c' --include='*.[ch]' . | grep -vE '^\./(stream|triggers)/[a-z_]+\.c$' &&
    complain 'json-c belongs into .c files of stream/ and triggers/'

while read -r lines file; do
    [ "$file" = total ] || [ "$lines" -le 900 ] || complain "$file: $lines lines; 900 are enough for one object"
done < <(find . -name '*.[ch]' -exec wc -l {} +)

exit "$failed"
