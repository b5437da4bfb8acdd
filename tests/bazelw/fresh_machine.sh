#!/bin/sh
# Runs the README's first command as on a fresh machine, not as root: no Bazel, nothing fetched, an empty home. Prints how
# long it took and how much was downloaded.
#
#     tests/bazelw/fresh_machine.sh [TARGET]
#
# It runs outside Bazel, on a copy of the project in a temporary folder. Root becomes a user without a name.
set -eu

project=$(cd "$(dirname "$0")/../.." && pwd)
target=${1:-//models:mobiledet_qat}
scratch=$(mktemp -d -p "${TMPDIR:-/var/tmp}")
user=
[ "$(id -u)" != 0 ] || user="setpriv --reuid=65533 --regid=65533 --clear-groups"

# Keeps the caller's proxies and registries, but no cache and no Bazel.
fresh() {
    # shellcheck disable=SC2046,SC2086
    (cd "$scratch/project" && $user env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME="$scratch/home" \
        $(env | grep -iE '^(pip_|https?_proxy=|no_proxy=|ssl_cert|requests_ca)') "$@")
}
finish() {
    fresh ./bazelw shutdown >/dev/null 2>&1 || :
    # Some fetched folders are read-only.
    chmod -R u+w "$scratch" && rm -rf "$scratch"
}
trap finish EXIT
trap 'exit 1' INT TERM

mkdir -p "$scratch/project" "$scratch/home"
(cd "$project" && git ls-files -z --cached --others --exclude-standard) |
    (cd "$project" && xargs -0 cp --parents -t "$scratch/project")
[ -z "$user" ] || chown -R 65533:65533 "$scratch"
! fresh sh -c 'command -v bazel || command -v bazelisk' ||
    echo "There is a Bazel on this machine's PATH, so none is unpacked here." >&2

started=$(date +%s)
fresh ./bazelw build "$target" --noshow_progress --color=no --repository_cache="$scratch/fetched" 2>"$scratch/log" || {
    cat "$scratch/log" >&2
    echo "FAIL: the first build" >&2
    exit 1
}
seconds=$(($(date +%s) - started))
cat "$scratch/log"

# The log must have one line about the weights and no warning.
notes=$(grep -cF 'the weights are seeded (synthetic)' "$scratch/log")
[ "$notes" = 1 ] || {
    echo "FAIL: the log says $notes times that weights are seeded" >&2
    exit 1
}
! grep -E 'WARNING|ERROR|XNNPACK' "$scratch/log" >&2 || {
    echo "FAIL: the log of a first build has the lines above" >&2
    exit 1
}
file=$scratch/project/$(sed -n 's/^  \(bazel-bin.*\.tflite\)$/\1/p' "$scratch/log")
digest=$(sha256sum "$file" | cut -d ' ' -f 1)
grep -qF "\"$digest\"" "$project/models/models.lock.json" || {
    echo "FAIL: models.lock.json has no $digest" >&2
    exit 1
}
megabytes=$(du -cm "$scratch/fetched" "$scratch/home/.cache/reproducible_tflite/files" | tail -n 1 | cut -f 1)
echo "ok: $target, not root, from nothing: $seconds s, $megabytes MB downloaded, $digest"
