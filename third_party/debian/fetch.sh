#!/bin/sh
# Downloads Debian packages with the machine's own apt and a private package list. It needs no root,
# and does not change the machine's lists and cache.
#
# usage: fetch.sh STATE_DIR OUTPUT_DIR SUITE PACKAGE=VERSION...   (PACKAGE alone: the current revision)
#        fetch.sh --closure INSTALLED STATE_DIR OUTPUT_DIR SUITE PACKAGE...
#
# The second form downloads the archive's current revisions of the packages and of all their dependencies, as apt's solver
# lists them, and prints a line "file NAME" for each. INSTALLED are names, separated by spaces or lines, of packages that
# count as installed and are left out. FETCH_HINT is the advice in errors when the archive cannot be used.
#
# The archive's address is the one that the machine's apt already uses for Debian; only the suite is chosen here. If the
# archive no longer has a revision, its current candidate is used, provided that its upstream version is the same. A line
# "replaced PACKAGE PINNED CANDIDATE" reports it. The caller checks the downloads by sha256. Exit code 3: the archive can
# be reached, but does not have a pinned package.
set -eu
# The script reads apt's messages.
export LC_ALL=C

closure='' installed=''
if [ "$1" = --closure ]; then
    closure=yes installed=$2
    shift 2
fi
state=$1 output=$2 suite=$3
shift 3

fail() {
    echo "fetch.sh: $*" >&2
    exit 1
}
gone() {
    echo "fetch.sh: $*" >&2
    exit 3
}

offline=${FETCH_HINT:-"put the .deb files that third_party/*/*.lock.json name into a folder and pass\
 --distdir=FOLDER, or pass the --repository_cache of a machine that has built."}

for tool in apt-get apt-cache; do
    command -v "$tool" >/dev/null 2>&1 || fail "$tool is not on this machine; $offline"
done

mkdir -p "$state/lists/partial" "$state/cache/archives/partial" "$state/empty" "$output"
for package in $installed; do
    printf 'Package: %s\nStatus: install ok installed\nArchitecture: amd64\nVersion: 9999\nDescription: left out\n\n' "$package"
done >"$state/status"
output=$(cd "$output" && pwd)
state=$(cd "$state" && pwd)

# The addresses of Debian that the machine's apt uses: the part before /dists/SUITE/InRelease in the URLs of an update.
# This works without package lists and for both formats of sources. Archives of other publishers are tried too, but do
# not have the packages; every file's digest is checked in the end.
addresses=$(apt-get --print-uris update 2>/dev/null |
    sed -n "s#^'\(.*\)/dists/\([^']*\)/InRelease'.*#\2 \1#p" | sort -u)

# If the keys are not in apt's own folder, name Debian's keyring.
signed=
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
ls /etc/apt/trusted.gpg.d/debian-archive-* >/dev/null 2>&1 || [ ! -e "$keyring" ] || signed=" signed-by=$keyring"
# Download only this index of an archive, whatever the machine's apt is configured to download.
options="[target=Packages$signed]"
echo "$addresses" | while read -r release address; do
    case $release in
        *-security) [ "$suite" != bookworm ] || echo "deb $options $address $suite-security main" ;;
        bullseye | bookworm | trixie | forky | duke | sid | oldstable | stable | testing | unstable)
            echo "deb $options $address $suite main"
            [ "$suite" != bookworm ] || echo "deb $options $address $suite-updates main"
            ;;
    esac
done | sort -u >"$state/sources.list"
[ -s "$state/sources.list" ] || fail "the machine's apt names no Debian archive; $offline"

# Ignore the machine's preferences, default release, hooks and further architectures, which concern its installed packages;
# the private status has none. The age of a mirror's index does not matter, since digests are checked.
cat >"$state/apt.conf" <<'END'
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
#clear APT::Default-Release;
#clear APT::Architectures;
Acquire::Check-Valid-Until "false";
Acquire::Languages "none";
Acquire::Retries "3";
APT::Architecture "amd64";
APT::Architectures { "amd64"; };
APT::Sandbox::User "";
Dir::Etc::Preferences "/dev/null";
END
# Paths are given as options, since a path with a quote would not work in that file.
apt() {
    program=$1
    shift
    "$program" -q=2 -c "$state/apt.conf" -o "Dir::Cache=$state/cache" -o "Dir::Etc::PreferencesParts=$state/empty" \
        -o "Dir::Etc::SourceList=$state/sources.list" -o "Dir::Etc::SourceParts=$state/empty" \
        -o "Dir::State::Lists=$state/lists" -o "Dir::State::Status=$state/status" "$@"
}
candidate() {
    apt apt-cache policy "$1" | sed -n '/(none)/d; s/^ *Candidate: //p'
}

# An archive that cannot be reached, or is not Debian's, is not an error yet; the packages decide below.
apt apt-get update >"$state/update.log" 2>&1 || :
# Debian's archive is reached if it has base-files, which every suite has.
reached() {
    [ -z "$(candidate base-files)" ] || return 0
    why=$(sed -n 's/^[EW]: Failed to fetch //p' "$state/update.log" | head -n 1)
    fail "the Debian archive cannot be reached: ${why:-$(sed -n '$ s/^[EW]: //p' "$state/update.log")}. Without a network, $offline"
}

cd "$output"
if [ -n "$closure" ]; then
    # Only the solver's output has the files' names; apt's cache uses other names than the locks.
    apt apt-get install --print-uris --no-install-recommends "$@" >"$state/uris" 2>"$state/log" || {
        reached
        gone "$*: $(tail -n 1 "$state/log")"
    }
    sed -n "s/^'[^']*' \([^ ]*\) .*/file \1/p" "$state/uris" >"$state/files"
    # shellcheck disable=SC2046
    set -- $(sed 's/^file \([^_]*\)_\([^_]*\)_.*/\1=\2/; s/%3a/:/g' "$state/files")
    apt apt-get download "$@" >"$state/log" 2>&1 || fail "$(tail -n 1 "$state/log")"
    cat "$state/files"
    exit
fi
# One call for all is ten times as fast, but if a package is missing, apt downloads none.
apt apt-get download "$@" >"$state/log" 2>&1 && exit
reached
for pin; do
    echo "${pin%%=*}"
done >"$state/names"
# shellcheck disable=SC2046
apt apt-cache madison $(cat "$state/names") 2>/dev/null |
    sed -n 's/^ *\([^ ]*\) | *\([^ ]*\) .*/\1\n\1=\2/p' >"$state/versions"
: >"$state/replaced"
for pin; do
    shift
    if grep -qxF -e "$pin" "$state/versions"; then
        set -- "$@" "$pin"
        continue
    fi
    package=${pin%%=*} pinned=${pin#*=}
    current=$(candidate "$package")
    [ -n "$current" ] || gone "$pin is not in the archive; $offline"
    # The upstream version is the part before the last dash.
    [ "${current%-*}" = "${pinned%-*}" ] ||
        gone "$pin is gone from the archive, which now has $current; run: bazel run //third_party:relock"
    set -- "$@" "$package=$current"
    echo "replaced $package $pinned $current" >>"$state/replaced"
done
apt apt-get download "$@" >"$state/log" 2>&1 || fail "$(tail -n 1 "$state/log")"
cat "$state/replaced"
