#!/bin/sh
# Downloads Debian packages with the machine's own apt, into a private package list: no root needed,
# and the machine's own lists and cache stay as they are.
#
# usage: fetch.sh STATE_DIR OUTPUT_DIR SUITE PACKAGE=VERSION...   (PACKAGE alone: the current revision)
#        fetch.sh --closure INSTALLED STATE_DIR OUTPUT_DIR SUITE PACKAGE...
#
# The second form downloads what the archive now has of the packages and of all that they depend on, as apt's own solver
# names it, and prints one line "file NAME" for each; INSTALLED are names, separated by spaces or lines, of packages that
# count as installed and so are left out. FETCH_HINT says in an error what to do without an archive.
#
# The archive's address is the one that the machine's apt already uses for Debian; only the suite is
# chosen here. A revision that the archive has dropped is replaced by the archive's own candidate, when
# that has the same upstream version: one line "replaced PACKAGE PINNED CANDIDATE" says so. What was
# downloaded is checked by the caller, by sha256. Exit code 3: the archive can be reached, and has not what is pinned.
set -eu
# What apt says is read here.
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

# Where the machine's apt finds Debian: what stands before /dists/SUITE/InRelease' in what an update would
# fetch. That works without package lists and for both formats of sources. Archives of other publishers
# are tried too and simply have no such package; every file is held against its digest in the end.
addresses=$(apt-get --print-uris update 2>/dev/null |
    sed -n "s#^'\(.*\)/dists/\([^']*\)/InRelease'.*#\2 \1#p" | sort -u)

# Where the keys do not stand in apt's own folder, name Debian's.
signed=
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
ls /etc/apt/trusted.gpg.d/debian-archive-* >/dev/null 2>&1 || [ ! -e "$keyring" ] || signed=" signed-by=$keyring"
# Of an archive's indices this one alone, whatever other programs of the machine have apt download.
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

# The machine's preferences, default release, hooks and further architectures are about what is installed on it, and a
# status of its own says that nothing is. How old a mirror's index is does not matter: what counts are the digests.
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
# A path may have a quote in it, and in that file it could not.
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

# An archive that cannot be reached, or is not Debian's, is no error yet; the packages decide below.
apt apt-get update >"$state/update.log" 2>&1 || :
# Debian's own archive is there when it has what every suite of it has.
reached() {
    [ -z "$(candidate base-files)" ] || return 0
    why=$(sed -n 's/^[EW]: Failed to fetch //p' "$state/update.log" | head -n 1)
    fail "the Debian archive cannot be reached: ${why:-$(sed -n '$ s/^[EW]: //p' "$state/update.log")}. Without a network, $offline"
}

cd "$output"
if [ -n "$closure" ]; then
    # Names are what the solver tells; apt's own cache of archives keeps no name that a lock could have.
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
# All at once is ten times as fast; when one is not there, apt takes none.
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
    # The upstream version is what stands before the last dash.
    [ "${current%-*}" = "${pinned%-*}" ] ||
        gone "$pin is gone from the archive, which now has $current; run: bazel run //third_party:relock"
    set -- "$@" "$package=$current"
    echo "replaced $package $pinned $current" >>"$state/replaced"
done
apt apt-get download "$@" >"$state/log" 2>&1 || fail "$(tail -n 1 "$state/log")"
cat "$state/replaced"
