#!/bin/sh
# Downloads Debian packages with the machine's own apt, into a private package list: no root needed,
# and the machine's own lists and cache stay as they are.
#
# usage: fetch.sh STATE_DIR OUTPUT_DIR SUITE PACKAGE=VERSION...   (PACKAGE alone: the current revision)
#
# The archive's address is the one that the machine's apt already uses for Debian; only the suite is
# chosen here. A revision that the archive has dropped is replaced by the archive's own candidate, when
# that has the same upstream version: one line "replaced PACKAGE PINNED CANDIDATE" says so. What was
# downloaded is checked by the caller, by sha256.
set -eu

state=$1 output=$2 suite=$3
shift 3

fail() {
    echo "fetch.sh: $*" >&2
    exit 1
}

offline="put the .deb files that third_party/debian/packages.lock.json names into a folder and pass\
 --distdir=FOLDER, or pass the --repository_cache of a machine that has built."

for tool in apt-get apt-cache dpkg; do
    command -v "$tool" >/dev/null 2>&1 || fail "$tool is not on this machine; on another system, $offline"
done

mkdir -p "$state/lists/partial" "$state/cache/archives/partial" "$state/empty" "$output"
: >"$state/status"
output=$(cd "$output" && pwd)
state=$(cd "$state" && pwd)

# One line a source: "URI RELEASE". Debian's own archives end in /debian and /debian-security.
sources=$(apt-get indextargets --format '$(REPO_URI) $(RELEASE)' | sort -u)
main=$(echo "$sources" | sed -n 's#^\([^ ]*/debian/\{0,1\}\) .*#\1#p' | head -n 1)
security=$(echo "$sources" | sed -n 's#^\([^ ]*/debian-security/\{0,1\}\) .*#\1#p' | head -n 1)
[ -n "$main" ] || fail "the machine's apt names no Debian archive; $offline"

keyring=/usr/share/keyrings/debian-archive-keyring.gpg
options=
[ -e "$keyring" ] && options="[signed-by=$keyring]"
{
    echo "deb $options $main $suite main"
    if [ "$suite" = bookworm ]; then
        echo "deb $options $main $suite-updates main"
        [ -z "$security" ] || echo "deb $options $security $suite-security main"
    fi
} >"$state/sources.list"

# An empty status: what is installed on this machine is not what the archive has.
apt() {
    program=$1
    shift
    "$program" -q=2 \
        -o Dir::Etc::SourceList="$state/sources.list" -o Dir::Etc::SourceParts="$state/empty" \
        -o Dir::State::Lists="$state/lists" -o Dir::Cache="$state/cache" -o Dir::State::Status="$state/status" \
        -o APT::Sandbox::User= -o APT::Architecture=amd64 -o Acquire::Languages=none \
        -o Acquire::Retries=3 "$@"
}

# apt calls it no error when an archive cannot be reached; then the packages are not found below.
apt apt-get update >"$state/update.log" 2>&1 || fail "apt-get update: $(tail -n 3 "$state/update.log")"

cd "$output"
for pin in "$@"; do
    package=${pin%%=*}
    if apt apt-get download "$pin" >"$state/log" 2>&1; then
        continue
    fi
    unreachable=$(sed -n 's/^[EW]: Failed to fetch //p' "$state/update.log" | head -n 1)
    [ -z "$unreachable" ] || fail "the Debian archive cannot be reached: $unreachable. Without a network, $offline"
    pinned=${pin#*=}
    candidate=$(apt apt-cache policy "$package" | sed -n 's/^ *Candidate: //p')
    [ -n "$candidate" ] && [ "$candidate" != "(none)" ] ||
        fail "$pin: $(tail -n 1 "$state/log"). Is it in the archive? Else $offline"
    # The upstream version is what stands before the last dash.
    [ "${candidate%-*}" = "${pinned%-*}" ] ||
        fail "$pin is gone from the archive, which now has $candidate; run: bazel run //third_party:relock"
    apt apt-get download "$package=$candidate" >"$state/log" 2>&1 || fail "$package=$candidate: $(tail -n 1 "$state/log")"
    echo "replaced $package $pinned $candidate"
done
