"""A CPython that uses nothing of the machine except the kernel and the CPU."""

load("//third_party/debian:debian.bzl", "unpack_debian_package")

# Modules whose libraries are not packaged (curses, Berkeley DB, NIS, readline, Tk). The loader would search for these in
# the host's directories.
_UNSUPPORTED_MODULES = ["_curses", "_curses_panel", "_dbm", "_gdbm", "_tkinter", "nis", "readline", "ossaudiodev"]

# A JSON object from `bazel run //tools/audit`: `commands`, shell commands that the launcher runs in actions before it
# starts Python, which may change the command "$@" and have helper programs in the folder `$audit`; `variables` for the
# command, as in `A=1 B=2`; and `packages`, the helpers' packages.
AUDIT_LAUNCHER = "AUDIT_LAUNCHER"

# The repository with those packages: an emulated CPU, another clock, and a tracer of opened files.
AUDIT_PACKAGES = "reproducible_tflite_audit_debian"

_AUDIT_LAYOUT = """
mkdir -p audit/bin audit/lib
find unpacked-audit/usr/bin '(' -name qemu-x86_64-static -o -name strace ')' -exec mv '{}' audit/bin/ ';'
find unpacked-audit/usr/lib -name '*.so.*' -exec cp -L '{}' audit/lib/ ';'
rm -rf unpacked-audit
"""

# Only in actions; the audit does not cover programs of repository rules.
_AUDIT_COMMANDS = """\
audit_variables=
case $PWD in
    */execroot/*)
        audit=${{runtime%/runtime}}/audit
        audit_variables='{variables}'
        {commands}
        ;;
esac

"""
_AUDIT_VARIABLES = """\
# shellcheck disable=SC2086
set -- $audit_variables "$@"
"""

# The runtime's folder in the names of compiled files, independent of its real path.
_TRACEBACK_PREFIX = "/cpython"

# $1 is the version, the other arguments are modules to leave out; the interpreter and its library are in place.
_LAYOUT = """
version=$1
shift
find unpacked/lib unpacked/lib64 unpacked/usr/lib/x86_64-linux-gnu -name '*.so*' \\
    -not -path '*/gconv/*' -not -path '*/engines-*/*' -not -path '*/ossl-modules/*' |
    while read -r library; do
        # An absolute link must be resolved below `unpacked`; otherwise it leads to the host's library.
        case $(readlink "$library") in
            /*) source=unpacked$(readlink "$library") ;;
            *) source=$library ;;
        esac
        cp -L "$source" runtime/lib/"${library##*/}"
    done
# Debian's hook into /etc/python3, and files that no build needs.
rm -f runtime/lib/python$version/sitecustomize.py
rm -rf runtime/lib/python$version/test runtime/lib/python$version/lib2to3/tests
for module in "$@"; do
    rm -f runtime/lib/python$version/lib-dynload/$module.*.so
done
find runtime -name __pycache__ -prune -exec rm -rf '{}' +
mkdir -p runtime/share/doc
for copyright in unpacked/usr/share/doc/*/copyright; do
    package=${copyright%/copyright}
    cp -L "$copyright" runtime/share/doc/"${package##*/}".copyright
done
# A dangling link would be an input that cannot be read.
find runtime -xtype l -delete
rm -rf unpacked
"""

_BUILD = """\
load("@reproducible_tflite//third_party/python:defs.bzl", "python_runtime")

package(default_visibility = ["//visibility:public"])

exports_files(["python", "runtime"])

python_runtime(
    name = "runtime_toolchain",
    # The directory is one input: a single link to stage instead of a hundred.
    files = {files},
    interpreter = "python",
)
"""

# For the launcher in a repository rule: it ignores a person's PYTHONPATH and, below `bazel run`, environment.
HERMETIC_ENVIRONMENT = {
    "BUILD_WORKSPACE_DIRECTORY": "",
    "PYTHONPATH": "",
}

def packs(version):
    """Returns whether a CPython imports from archives here; zipimport supports it from 3.10 on.

    Args:
      version: the minor version, as in `3.11`.
    """
    return int(version.split(".")[1]) >= 10

def lay_out(ctx, version, arguments):
    """Runs a script of sh that moves files into the folder `runtime`.

    Args:
      ctx: the repository context.
      version: CPython's minor version, as in `3.11`.
      arguments: the script, then its arguments from $1 on.
    """
    result = ctx.execute(["sh", "-ec", "mkdir -p runtime/bin runtime/lib\n" + arguments[0], "sh"] + arguments[1:])
    if result.return_code != 0:
        fail("The folder of CPython {} cannot be laid out: {}".format(version, result.stderr.strip()))

def add_libraries(ctx, version, audit = {}):
    """Adds the shared libraries of the packages in `unpacked` to an interpreter in `runtime`, and writes a launcher.

    Args:
      ctx: the repository context of a rule with `runtime_attrs`.
      version: CPython's minor version, as in `3.11`.
      audit: the object in `AUDIT_LAUNCHER`, if any.
    """
    lay_out(ctx, version, [_LAYOUT, version] + _UNSUPPORTED_MODULES)
    if packs(version):
        library = "runtime/lib/python{}/".format(version)
        ctx.template(library + "packed_sites.py", ctx.attr._packed_sites, executable = False)

        # CPython imports this module at every start.
        ctx.template(library + "sitecustomize.py", ctx.attr._sitecustomize, executable = False)
    ctx.template("runtime/confine.py", ctx.attr._confine, executable = False)
    ctx.template("python", ctx.attr._launcher, {
        "%{audit_commands}": _AUDIT_COMMANDS.format(
            commands = audit["commands"],
            variables = audit["variables"],
        ) if audit else "",
        "%{audit_variables}": _AUDIT_VARIABLES if audit else "",
        "%{no_site}": "" if packs(version) else "-S",
        # Before 3.11 a script's own folder is always importable.
        "%{safe_path}": "-P" if int(version.split(".")[1]) >= 11 else "",
        "%{version}": version,
    }, executable = True)

def compile_runtime(ctx, version):
    """Compiles the standard library in `runtime`, and packs it into the archive in which CPython looks for it.

    Args:
      ctx: the repository context of a rule with `runtime_attrs`.
      version: CPython's minor version, as in `3.11`.
    """
    library = "runtime/lib/python" + version
    compile_python(ctx, ctx.path("python"), library, _TRACEBACK_PREFIX)
    if packs(version):
        pack_python(ctx, ctx.path("python"), ctx.attr._pack, library, "runtime/lib/python{}.zip".format(version.replace(".", "")))

runtime_attrs = {
    "packages": attr.label_list(doc = "The .deb files: interpreter, library, C library ...", mandatory = True),
    "_confine": attr.label(default = Label("//third_party/python:confine.py")),
    "_pack": attr.label(default = Label("//third_party/python:pack.py")),
    "_packed_sites": attr.label(default = Label("//third_party/python:packed_sites.py")),
    "_sitecustomize": attr.label(default = Label("//third_party/python:sitecustomize.py")),
    "_launcher": attr.label(default = Label("//third_party/python:launcher.sh.tpl")),
}

def _cpython_impl(ctx):
    version = ctx.attr.version
    audit = json.decode(ctx.os.environ.get(AUDIT_LAUNCHER) or "{}")
    if audit:
        for package in audit["packages"]:
            unpack_debian_package(ctx, Label("@{}//:{}.deb".format(AUDIT_PACKAGES, package)), "unpacked-audit")
        result = ctx.execute(["sh", "-ec", _AUDIT_LAYOUT])
        if result.return_code != 0:
            fail("the audit's programs cannot be laid out: " + result.stderr.strip())
    for package in ctx.attr.packages:
        unpack_debian_package(ctx, package, "unpacked")
    lay_out(ctx, version, [
        "mv unpacked/usr/bin/python$1 runtime/bin/ && mv unpacked/usr/lib/python$1 runtime/lib/",
        version,
    ])
    add_libraries(ctx, version, audit)
    compile_runtime(ctx, version)
    ctx.file("BUILD.bazel", _BUILD.format(files = repr(["runtime"] + (["audit"] if audit else []))))

cpython = repository_rule(
    implementation = _cpython_impl,
    doc = """CPython from Debian packages: `python`, a launcher, and `runtime`, a directory with the interpreter, its
standard library (precompiled), every shared library that it needs, and the loader. `runtime_toolchain` is the target for a
toolchain.""",
    attrs = dict(
        runtime_attrs,
        version = attr.string(doc = "The minor version, as in `3.11`.", mandatory = True),
    ),
    environ = [AUDIT_LAUNCHER],
)

def pack_python(ctx, python, pack, directory, archive):
    """Moves every module of a compiled directory into an archive.

    Args:
      ctx: the repository context.
      python: the interpreter's path.
      pack: the label of pack.py.
      directory: the directory to pack, relative to the repository.
      archive: the archive to write, likewise.
    """
    result = ctx.execute([python, ctx.path(pack), directory, archive], environment = HERMETIC_ENVIRONMENT)
    if result.return_code != 0:
        fail("{} cannot be packed: {}".format(directory, result.stderr.strip()))

def compile_python(ctx, python, directory, prefix):
    """Compiles every module of a directory to bytecode that does not depend on the directory's path.

    Unchecked hash-based files (PEP 552) have no time stamp and are not compared with their source, so they have the
    same bytes on every machine, and imports need no `stat`.

    Args:
      ctx: the repository context.
      python: the interpreter's path.
      directory: the directory to compile, relative to the repository.
      prefix: the directory's name in tracebacks.
    """
    path = str(ctx.path(directory))
    result = ctx.execute([
        python,
        "-m",
        "compileall",
        "-q",
        "--invalidation-mode",
        "unchecked-hash",
        # The long form, "-s PATH -p PREFIX", needs 3.9.
        "-d",
        prefix,
        "-j",
        "0",
        path,
    ], environment = HERMETIC_ENVIRONMENT, timeout = 1800)
    if result.return_code != 0:
        fail("{} cannot be compiled: {}".format(directory, (result.stdout + result.stderr).strip()))
