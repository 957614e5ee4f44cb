#!/usr/bin/env bash
# README names the files that make the spine of gradus and counts their lines: each row, and the sum before the table, is
# right to a tenth. `spine.sh --update` writes the counts.
set -euo pipefail

spine() { sed -n '/^## The spine/,/^## What/p' README.md; }

# count WHAT SAID COUNTED: writes a count, or compares it.
status=0
count() {
  if [[ $option == --update ]]; then
    sed -i "/^## The spine/,/^## What/s/^\(|$1|.*|\) [^|]*|\$/\1 $3 |/; /^## The spine/,/^## What/s/\(${1//\//\\/}, \)[0-9]\+\( lines\)/\1$3\2/" README.md
  elif ((10 * ($2 > $3 ? $2 - $3 : $3 - $2) > $3)); then
    echo "README, $1: $2 lines, there are $3; tests/checks/spine.sh --update"
    status=1
  fi
}

option=${1:-}
total=0
while IFS='|' read -r _ part files said _; do
  eval "files=($(tr -d '\`' <<<"$files"))"
  lines=$(cat "${files[@]}" | wc -l)
  count "$part" "${said// /}" "$lines"
  total=$((total + lines))
done <<<"$(spine | grep '^|.*`')"
count "of the weights" "$(spine | sed -n 's/.*of the weights, \([0-9]*\) lines.*/\1/p')" "$total"
exit $status
