#!/bin/sh
# Downloads Debian packages with the machine's own apt, into a private package list: no root needed,
# and the machine's own lists and cache stay as they are.
#
# usage: fetch.sh STATE_DIR OUTPUT_DIR SUITE PACKAGE=VERSION...   (PACKAGE alone: the current revision)
#        fetch.sh --closure INSTALLED STATE_DIR OUTPUT_DIR SUITE PACKAGE...
#
# The second form downloads what the archive now has of the packages and of all that they depend on, as apt's own solver
# names it; INSTALLED are names, separated by spaces, of packages that count as installed and so are left out.
#
# The archive's address is the one that the machine's apt already uses for Debian; only the suite is
# chosen here. A revision that the archive has dropped is replaced by the archive's own candidate, when
# that has the same upstream version: one line "replaced PACKAGE PINNED CANDIDATE" says so. What was
# downloaded is checked by the caller, by sha256. Exit code 3: the archive can be reached, and has not what is pinned.
set -eu

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

offline="put the .deb files that third_party/*/*.lock.json name into a folder and pass\
 --distdir=FOLDER, or pass the --repository_cache of a machine that has built."

for tool in apt-get apt-cache; do
    command -v "$tool" >/dev/null 2>&1 || fail "$tool is not on this machine; on another system, $offline"
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
options=
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
ls /etc/apt/trusted.gpg.d/debian-archive-* >/dev/null 2>&1 || [ ! -e "$keyring" ] || options="[signed-by=$keyring]"
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

# The machine's preferences, default release and hooks are about what is installed on it, and a
# status of its own says that nothing is. How old a mirror's index is does not matter: what counts are the digests.
cat >"$state/apt.conf" <<END
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
#clear APT::Default-Release;
Acquire::Check-Valid-Until "false";
Acquire::Languages "none";
Acquire::Retries "3";
APT::Architecture "amd64";
APT::Sandbox::User "";
Dir::Cache "$state/cache";
Dir::Etc::Preferences "/dev/null";
Dir::Etc::PreferencesParts "$state/empty";
Dir::Etc::SourceList "$state/sources.list";
Dir::Etc::SourceParts "$state/empty";
Dir::State::Lists "$state/lists";
Dir::State::Status "$state/status";
END
apt() {
    program=$1
    shift
    "$program" -q=2 -c "$state/apt.conf" "$@"
}

# An archive that cannot be reached, or is not Debian's, is no error yet; the packages decide below.
apt apt-get update >"$state/update.log" 2>&1 || :

cd "$output"
unreachable=$(sed -n 's/^[EW]: Failed to fetch //p' "$state/update.log" | head -n 1)
reached() {
    [ -z "$unreachable" ] || fail "the Debian archive cannot be reached: $unreachable. Without a network, $offline"
}
if [ -n "$closure" ]; then
    # Names are what the solver tells; apt's own cache of archives keeps no name that a lock could have.
    apt apt-get install --print-uris --no-install-recommends "$@" >"$state/uris" 2>"$state/log" || {
        reached
        gone "$*: $(tail -n 1 "$state/log")"
    }
    set -- $(sed -n "s/^'[^']*' \([^_]*\)_\([^_]*\)_.*/\1=\2/p" "$state/uris" | sed 's/%3a/:/g')
fi
# All at once is ten times as fast; when one is not there, apt takes none.
apt apt-get download "$@" >"$state/log" 2>&1 && exit
reached
for pin in "$@"; do
    package=${pin%%=*}
    if apt apt-get download "$pin" >"$state/log" 2>&1; then
        continue
    fi
    pinned=${pin#*=}
    candidate=$(apt apt-cache policy "$package" | sed -n 's/^ *Candidate: //p')
    [ -n "$candidate" ] && [ "$candidate" != "(none)" ] ||
        gone "$pin: $(tail -n 1 "$state/log"). Is it in the archive? Else $offline"
    # The upstream version is what stands before the last dash.
    [ "${candidate%-*}" = "${pinned%-*}" ] ||
        gone "$pin is gone from the archive, which now has $candidate; run: bazel run //third_party:relock"
    apt apt-get download "$package=$candidate" >"$state/log" 2>&1 || fail "$package=$candidate: $(tail -n 1 "$state/log")"
    echo "replaced $package $pinned $candidate"
done
