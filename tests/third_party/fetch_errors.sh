#!/bin/sh
# Checks the messages of failed fetches, and that builds work without a network.
#
#     tests/third_party/fetch_errors.sh [FOLDER]
#
# Runs outside Bazel, on a copy of the project in FOLDER (default: a temporary one, removed at the end),
# because a test inside Bazel's sandbox has neither a network nor a Bazel. Needs what a first build needs;
# only //tests/tools/lib/cli:cli_test is built, so TensorFlow is not fetched. BAZEL names another Bazel than
# the one that ./bazelw finds.
set -eu

project=$(cd "$(dirname "$0")/../.." && pwd)
if [ $# -gt 0 ]; then
    mkdir -p "$1"
    scratch=$(cd "$1" && pwd)
else
    scratch=$(mktemp -d)
fi
target=//tests/tools/lib/cli:cli_test
log=$scratch/log
copy=$scratch/project
output_base=$scratch/online

bazel_in() {
    base=$1
    shift
    (cd "$copy" && "${BAZEL:-./bazelw}" --output_base="$base" "$@" --noshow_progress --color=no)
}

finish() {
    for base in "$scratch/online" "$scratch/offline"; do
        [ ! -d "$base" ] || bazel_in "$base" shutdown >/dev/null 2>&1 || :
    done
    # Fetched folders are read-only in part.
    [ $# -gt 0 ] || { chmod -R u+w "$scratch" && rm -rf "$scratch"; }
}
trap 'finish "$@"' EXIT
trap 'exit 1' INT TERM

wrong() {
    cat "$log" >&2
    echo "FAIL: $*" >&2
    exit 1
}

# passes NAME COMMAND...
passes() {
    name=$1
    shift
    "$@" >"$log" 2>&1 || wrong "$name: exit code $?"
    echo "ok: $name"
}

# fails NAME PATTERN COMMAND...: the command's exit code is not 0, and one line matches the pattern.
fails() {
    name=$1 pattern=$2
    shift 2
    ! "$@" >"$log" 2>&1 || wrong "$name: it passed"
    grep -qE -- "$pattern" "$log" || wrong "$name: no line matches $pattern"
    echo "ok: $name"
}

# says PATTERN: the last command printed it too.
says() {
    grep -qE -- "$1" "$log" || wrong "no line matches $1"
}

# not_made REPOSITORY: Bazel holds it for unfinished and will fetch it again.
not_made() {
    [ ! -e "$output_base/external/@$1.marker" ] || wrong "@$1 counts as fetched"
}

restore() {
    cp "$project/$1" "$copy/$1"
}

wheels=third_party/pip/requirements.lock
debs=third_party/debian/packages.lock.json
zeros=0000000000000000000000000000000000000000000000000000000000000000

# What an earlier run in the same folder left.
[ ! -d "$scratch/offline" ] || chmod -R u+w "$scratch/offline"
rm -rf "$copy" "$scratch/offline" "$scratch/no-cache" "$scratch/distdir" "$scratch/debs-only"
mkdir -p "$copy"
(cd "$project" && git ls-files -z --cached --others --exclude-standard) |
    (cd "$project" && xargs -0 cp --parents -t "$copy")

passes "the first fetch" bazel_in "$output_base" test "$target"

# A digest that does not match: a wheel, then a Debian package.
sed -i "/^absl-py==/,/# file/ s/sha256:[0-9a-f]*/sha256:$zeros/" "$copy/$wheels"
fails "a wheel with another digest" "Error in fail: absl_py-.*[.]whl is there, but its sha256 is not $zeros as the lock says" bazel_in "$output_base" test "$target"
not_made reproducible_tflite_pip_absl_py
restore "$wheels"

sed -i "/\"zlib1g_/,/sha256/ s/\"sha256\": \"[0-9a-f]*\"/\"sha256\": \"$zeros\"/" "$copy/$debs"
fails "a Debian package with another digest" "Error in fail: zlib1g_.*[.]deb is there, but its sha256 is not $zeros as the lock says" bazel_in "$output_base" test "$target"
not_made reproducible_tflite_debian
restore "$debs"
passes "the same build with the right digests" bazel_in "$output_base" test "$target"

# Revisions that no archive has.
gone="/\"package\": \"python3.11-minimal\"/,/sha256/ { s/\"version\": \"[^\"]*\"/\"version\": \"%\"/; s/\"sha256\": \"[0-9a-f]*\"/\"sha256\": \"$zeros\"/ }"
sed -i "$(echo "$gone" | sed 's/%/3.11.2-6+deb12u0/')" "$copy/$debs"
fails "a replaced revision under --config=ci" "python3.11-minimal 3.11.2-6\+deb12u0 is gone from the Debian archive; .* is there instead. Re-pin with: bazel run //third_party:relock" \
    bazel_in "$output_base" test --config=ci "$target"
not_made reproducible_tflite_debian
passes "a replaced revision" bazel_in "$output_base" test "$target"
says "WARNING: python3.11-minimal 3.11.2-6\+deb12u0 is gone from the Debian archive"
grep -q '"python3.11-minimal":"3.11.2-' "$output_base/external/reproducible_tflite_debian/replaced.json" || wrong "replaced.json does not have it"

restore "$debs"
sed -i "$(echo "$gone" | sed 's/%/3.11.1-1/')" "$copy/$debs"
fails "another upstream version in the archive" "python3.11-minimal=3.11.1-1 is gone from the archive, which now has 3.11.2-.*; run: bazel run //third_party:relock" \
    bazel_in "$output_base" test "$target"
not_made reproducible_tflite_debian
restore "$debs"

# A system without apt: fetch.sh looks for its tools before anything else.
mkdir -p "$scratch/bin"
fails "no apt-get" "apt-get is not on this machine; .*[*][.]lock[.]json .*--distdir=FOLDER" \
    env "PATH=$scratch/bin" /bin/sh "$copy/third_party/debian/fetch.sh" "$scratch/state" "$scratch/debs" bookworm zlib1g=1
[ ! -e "$scratch/state" ] && [ ! -e "$scratch/debs" ] || wrong "fetch.sh made a folder"

# No network: every registry, cache and proxy that the machine knows is out of reach.
passes "the build to take the files from" bazel_in "$output_base" test "$target"
mkdir -p "$scratch/distdir" "$scratch/no-cache"
cp "$output_base"/external/reproducible_tflite_debian/debs/*.deb "$scratch/distdir"
cache=$(bazel_in "$output_base" info repository_cache 2>/dev/null)/content_addressable/sha256
sed -n 's/.*--hash=sha256:\([0-9a-f]*\).*/\1/p; s/.*# file: //p' "$copy/$wheels" |
    while read -r sha256 && read -r file; do
        [ ! -e "$cache/$sha256/file" ] || cp "$cache/$sha256/file" "$scratch/distdir/$file"
    done
cat >"$scratch/apt.conf" <<'EOF'
Acquire::http::Proxy "http://127.0.0.1:9";
Acquire::https::Proxy "http://127.0.0.1:9";
EOF

offline() {
    env APT_CONFIG="$scratch/apt.conf" \
        http_proxy=http://127.0.0.1:9 https_proxy=http://127.0.0.1:9 \
        PIP_CONFIG_FILE=/dev/null PIP_INDEX_URL=http://127.0.0.1:9/ PIP_EXTRA_INDEX_URL= PIP_FIND_LINKS= PIP_RETRIES=1 \
        sh -c 'cd "$1" && shift && exec "$@"' sh "$copy" \
        "${BAZEL:-./bazelw}" --output_base="$scratch/offline" test --repository_cache="$scratch/no-cache" \
        --noshow_progress --color=no "$@"
}
output_base=$scratch/offline
# ./bazelw has some of the files from where it unpacked Bazel; who calls that Bazel directly has none.
without_files() {
    (
        BAZEL=$(bazel_in "$scratch/online" info install_base 2>/dev/null)/../bazel
        [ -x "$BAZEL" ] || BAZEL=./bazelw
        DISTDIRS=
        export DISTDIRS
        offline "$@"
    )
}
fails "no network on the first fetch" "Debian packages cannot be fetched: .* the Debian archive cannot be reached: http.*--distdir=FOLDER" without_files "$target"
not_made reproducible_tflite_debian

# The Debian packages alone: now the wheels cannot be had.
mkdir -p "$scratch/debs-only"
cp "$scratch"/distdir/*.deb "$scratch/debs-only"
fails "no network for the wheels" "Python packages cannot be fetched: .*connection broken .*--distdir=FOLDER" \
    offline --distdir="$scratch/debs-only" "$target"

passes "no network, and every file in a --distdir" offline --distdir="$scratch/distdir" "$target"

# What only TensorFlow 1.15.5 needs, and no registry has.
python=@reproducible_tflite_cpython_3_7//:python
fails "no CPython 3.7" "TensorFlow 1.15.5 needs CPython 3.7, which is not here: http.*--distdir=FOLDER, or name .*--repo_env=PYTHON_3_7=FOLDER" \
    offline --distdir="$scratch/distdir" "$python"
not_made reproducible_tflite_cpython_3_7
fails "a CPython 3.7 that is not where it is said to be" "PYTHON_3_7=$scratch/nowhere: there is no bin/python3.7" \
    offline --distdir="$scratch/distdir" --repo_env=PYTHON_3_7="$scratch/nowhere" "$python"
not_made reproducible_tflite_cpython_3_7
echo "PASS"
