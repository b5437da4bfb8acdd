"""nginx with its shared libraries, for `tools/cache`; no build needs it."""

load("//third_party/debian:debian.bzl", "unpack_debian_package")

_LAYOUT = """
mkdir -p runtime/bin runtime/lib runtime/share/doc
mv unpacked/usr/sbin/nginx runtime/bin/
find unpacked/lib unpacked/lib64 unpacked/usr/lib/x86_64-linux-gnu -name '*.so*' \\
    -not -path '*/gconv/*' -not -path '*/engines-*/*' -not -path '*/ossl-modules/*' |
    while read -r library; do
        # Followed from the host's root, an absolute link would lead to the host's library.
        case $(readlink "$library") in
            /*) source=unpacked$(readlink "$library") ;;
            *) source=$library ;;
        esac
        cp -L "$source" runtime/lib/"${library##*/}"
    done
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

def _nginx_impl(ctx):
    for package in ctx.attr.packages:
        unpack_debian_package(ctx, package, "unpacked")
    result = ctx.execute(["sh", "-ec", _LAYOUT])
    if result.return_code != 0:
        fail("nginx cannot be laid out: " + result.stderr.strip())
    ctx.file("BUILD.bazel", _BUILD)

nginx = repository_rule(
    implementation = _nginx_impl,
    doc = "`runtime`: one directory with nginx in `bin`, and in `lib` its shared libraries and the loader that starts it.",
    attrs = {
        "packages": attr.label_list(doc = "The .deb files: nginx, and its libraries down to the C library.", mandatory = True),
    },
)
