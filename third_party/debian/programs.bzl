"""Programs from Debian packages, for tools that start them; no build of a model needs any."""

load(":debian.bzl", "unpack_debian_package")

# The arguments are the programs. Absolute links are resolved below `unpacked`; otherwise they would lead to the host's
# files.
_PROGRAMS = """
for program; do
    mkdir -p runtime/bin
    mv unpacked/"$program" runtime/bin/
done
find unpacked/lib unpacked/lib64 unpacked/usr/lib/x86_64-linux-gnu -name '*.so*' \\
    -not -path '*/gconv/*' -not -path '*/engines-*/*' -not -path '*/ossl-modules/*' |
    while read -r library; do
        case $(readlink "$library") in
            /*) source=unpacked$(readlink "$library") ;;
            *) source=$library ;;
        esac
        mkdir -p runtime/lib
        cp -L "$source" runtime/lib/"${library##*/}"
    done
"""

# The tree of a machine with only the files that are needed to start an action (tools/execution).
_IMAGE = """
mkdir -p runtime/bin runtime/usr/bin runtime/lib64 runtime/lib/x86_64-linux-gnu
for program; do
    mv unpacked/"$program" runtime/"$program"
done
mv runtime/bin/dash runtime/bin/sh
cp -L unpacked/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2 runtime/lib64/
for library in libc.so.6 libtinfo.so.6; do
    cp -L unpacked/lib/x86_64-linux-gnu/"$library" runtime/lib/x86_64-linux-gnu/
done
"""

_COPYRIGHT = """
mkdir -p runtime/share/doc
for copyright in unpacked/usr/share/doc/*/copyright; do
    package=${copyright%/copyright}
    cp -L "$copyright" runtime/share/doc/"${package##*/}".copyright
done
rm -rf unpacked
"""

_BUILD = """\
package(default_visibility = ["//visibility:public"])

exports_files(["runtime"])
"""

def _lay_out(ctx, layout):
    for package in ctx.attr.packages:
        unpack_debian_package(ctx, package, "unpacked")
    result = ctx.execute(["sh", "-ec", layout + _COPYRIGHT, "sh"] + ctx.attr.programs)
    if result.return_code != 0:
        fail("{} cannot be laid out: {}".format(ctx.name, result.stderr.strip()))
    ctx.file("BUILD.bazel", _BUILD)

_ATTRS = {
    "packages": attr.label_list(doc = "The .deb files of the programs and of their libraries, including the C library.", mandatory = True),
    "programs": attr.string_list(doc = "The paths of the programs in their packages, such as `usr/bin/env`.", mandatory = True),
}

def _debian_programs_impl(ctx):
    _lay_out(ctx, _PROGRAMS)

debian_programs = repository_rule(
    implementation = _debian_programs_impl,
    doc = "`runtime`: a directory with programs in `bin`, and their shared libraries and loader in `lib`.",
    attrs = _ATTRS,
)

def _worker_image_impl(ctx):
    _lay_out(ctx, _IMAGE)

worker_image = repository_rule(
    implementation = _worker_image_impl,
    doc = "`runtime`: the root folder of a machine with a shell, its libraries and its loader, each in its standard place.",
    attrs = _ATTRS,
)
