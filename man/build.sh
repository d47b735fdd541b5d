#!/bin/sh
# The manual pages, compressed without the time of day: build.sh PRINT-SETTINGS OUTPUT-FOLDER
set -eu
mkdir -p "$2"
date=$(LC_ALL=C date -u -d "@${SOURCE_DATE_EPOCH:-$(date +%s)}" '+%B %-d, %Y')
sed "s/\\\$Mdocdate\\\$/$date/" "$(dirname "$0")/tuplecast.1" | gzip -9n >"$2/tuplecast.1.gz"
"$1" | sed "s/\\\$Mdocdate\\\$/$date/" | gzip -9n >"$2/tuplecast.conf.5.gz"
