#!/bin/sh
# What //third_party:mirror puts into a folder is all that a machine without a network builds from.
#
#     tests/third_party/mirror_offline.sh [FOLDER]
#
# Mirrors the model that needs the fewest files, then builds it on a copy of the project in a network namespace that has
# no interface but the loopback, where no cache has anything, from Bazel itself on; what comes out must have the sha256 of
# models/models.lock.json. Runs outside Bazel, in FOLDER (default: a temporary one, removed at the end), as root or where
# a user may make namespaces. Takes 3 GB.
set -eu

project=$(cd "$(dirname "$0")/../.." && pwd)
if [ $# -gt 0 ]; then
    mkdir -p "$1"
    scratch=$(cd "$1" && pwd)
else
    scratch=$(mktemp -d -p "${TMPDIR:-/var/tmp}")
fi
model=edsr_f32b5_fp32
target=//models:$model
mirror=$scratch/mirror
copy=$scratch/project
log=$scratch/log

finish() {
    for name in whole lacking; do
        [ ! -d "$scratch/$name" ] || offline "$name" ./bazelw shutdown >/dev/null 2>&1 || :
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

# Raises the loopback, over which Bazel's client and server speak, and fails if anything else can be reached.
cat >"$scratch/no_network.py" <<'EOF'
import fcntl, socket, struct, sys

UP, SIOCSIFFLAGS = 1, 0x8914
fcntl.ioctl(socket.socket(), SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", UP))
routes = open("/proc/net/route").read().splitlines()[1:]
if routes:
    sys.exit(f"there are routes: {routes}")
for address in "192.0.2.1", "2001:db8::1":
    try:
        socket.create_connection((address, 443), timeout=5)
    except OSError as error:
        print(f"no route, and {address}: {error.strerror}")
    else:
        sys.exit(f"{address} can be reached")
EOF

# offline NAME COMMAND...: in the copy, without a network, with a home and caches of the name's own.
offline() {
    own=$scratch/$1
    shift
    user=
    [ "$(id -u)" = 0 ] || user=--map-root-user
    mkdir -p "$own"
    unshare --net $user env -i PATH=/usr/bin:/bin HOME="$own" XDG_CACHE_HOME="$own/cache" sh -ec '
        "$1" "$2" && cd "$3" && shift 3 && "$@"' sh "$python" "$scratch/no_network.py" "$copy" "$@"
}

# What an earlier run in the same folder left.
for name in whole lacking; do
    [ ! -d "$scratch/$name" ] || chmod -R u+w "$scratch/$name"
done
rm -rf "$copy" "$scratch/whole" "$scratch/lacking" "$scratch/lacking-files"
mkdir -p "$copy"
(cd "$project" && git ls-files -z --cached --others --exclude-standard) |
    (cd "$project" && xargs -0 cp --parents -t "$copy")

cd "$project"
# In CI with CI's settings. With others Bazel would fetch some repositories again, which steps beside this one use.
passes "the mirror" ./bazelw run ${CI:+--config=ci} //third_party:mirror -- "$mirror" "$target"
grep -E '^/.* files, ' "$log"
python=$(./bazelw info output_base 2>/dev/null)/external/reproducible_tflite_cpython_3_11/python

passes "there is no network" offline whole true
cat "$log"
passes "the build without a network" offline whole ./bazelw build --distdir="$mirror" "$target"
digest=$(sha256sum <"$copy/bazel-bin/models/edsr/$model.tflite")
pinned=$(sed -n "/:$model\"/,/^    }/ { /\"seeded\"/,/\"sha256\"/ s/.*\"sha256\": \"\(.*\)\".*/\1/p }" models/models.lock.json)
[ "${digest%% *}" = "$pinned" ] || wrong "$model.tflite has the sha256 ${digest%% *}, not $pinned"
echo "ok: $model.tflite has the sha256 of models.lock.json, $pinned"
offline whole ./bazelw shutdown >"$log" 2>&1

# lacks NAME GLOB PATTERN: a build of `offline NAME` fails when a file is not in the folder, with a line of the pattern,
# in which FILE is the file's name.
lacks() {
    home=$1
    file=$(cd "$mirror" && echo $2)
    rm -rf "$scratch/lacking-files"
    cp -r "$mirror" "$scratch/lacking-files"
    rm "$scratch/lacking-files/$file"
    pattern=$(echo "$3" | sed "s/FILE/$(echo "$file" | sed 's/[+.]/[&]/g')/")
    fails "without $file" "$pattern" offline "$home" ./bazelw build --distdir="$scratch/lacking-files" "$target"
    grep -E -- "$pattern" "$log"
}
# One of Bazel's own, and, with a Bazel, one of the model's.
lacks lacking 'bazel-bootstrap_*' "^bazelw: Bazel cannot be downloaded, as FILE is missing: .*--distdir="
chmod -R u+w "$scratch/whole/cache/bazel"
rm -rf "$scratch/whole/cache/bazel"
lacks whole 'absl_py-*' "Error in fail: Python packages cannot be fetched: .*--distdir=.* Wanted: FILE[.]"
echo "PASS"
