"""CPythons that current Debian releases do not have: 3.7, pinned or of the machine, and 3.8, of the machine."""

load("//third_party/debian:debian.bzl", "unpack_debian_package")
load("//third_party/pip:wheels.bzl", "extract_wheel", "fetch_wheels", "pip_attrs")
load(":cpython.bzl", "HERMETIC_ENVIRONMENT", "add_libraries", "compile_runtime", "lay_out", "runtime_attrs")

# The variable with the folder of one of the machine, by version.
_LOCAL = {
    "3.7": "PYTHON_3_7",
    "3.8": "PYTHON_3_8",
}

# In the scripts, VERSION stands for the version. $1 is the prefix. Packages that a person has installed there are left
# out, and so are modules that no conversion needs.
_TAKE = """
# Some builds have only the name with the ABI's flag.
program=$1/bin/pythonVERSION
[ -e "$program" ] || program=${program}m
cp -L "$program" runtime/bin/pythonVERSION
for library in "$1"/lib/libpythonVERSION*.so.*; do
    [ ! -e "$library" ] || cp -L "$library" runtime/lib/
done
mkdir runtime/lib/pythonVERSION
for entry in "$1"/lib/pythonVERSION/*; do
    case ${entry##*/} in
        __pycache__ | config-* | dist-packages | ensurepip | idlelib | lib2to3 | site-packages | test | turtledemo) ;;
        *) cp -RL "$entry" runtime/lib/pythonVERSION/ ;;
    esac
done
chmod -R u+w runtime
find runtime -name __pycache__ -prune -exec rm -rf '{}' +
"""

# The digest of the list of all files with their digests, sorted by path.
_DIGEST = """
cd runtime
LC_ALL=C
export LC_ALL
find . -type f -print0 | sort -z | xargs -0 sha256sum | sha256sum
"""

# Prints the interpreter's own files that need libraries outside of `runtime`, with the loader's messages, and removes
# modules that do.
_KEEP_OUT_THE_HOST = """
runtime=$PWD/runtime
for file in "$runtime"/bin/pythonVERSION "$runtime"/lib/libpythonVERSION*.so.* "$runtime"/lib/pythonVERSION/lib-dynload/*.so; do
    [ -e "$file" ] || continue
    libraries=$("$runtime"/lib/ld-linux-x86-64.so.2 --inhibit-cache --library-path "$runtime"/lib --list "$file" 2>&1) || libraries="? => $libraries"
    foreign=$(echo "$libraries" | grep -F ' => ' | grep -vF " => $runtime/" || :)
    [ -n "$foreign" ] || continue
    case $file in
        */lib-dynload/*) rm -f "$file" ;;
        *) echo "${file##*/}:" $foreign ;;
    esac
done
"""

_BUILD = """\
load("@reproducible_tflite//third_party/python:defs.bzl", "python_runtime")
load("@reproducible_tflite//third_party/python:interpreter.bzl", "python_interpreter")

package(default_visibility = ["//visibility:public"])

exports_files(["python", "runtime"])

python_runtime(
    name = "runtime_toolchain",
    files = ["runtime"],
    interpreter = "python",
    tags = ["manual"],
)

python_interpreter(
    name = "interpreter",
    local_sha256 = {local_sha256},
    version = {version},
)
"""

def _run(ctx, script):
    result = ctx.execute(["sh", "-ec", script.replace("VERSION", ctx.attr.version)])
    if result.return_code != 0:
        fail("The folder of CPython {} cannot be laid out: {}".format(ctx.attr.version, result.stderr.strip()))
    return result.stdout.strip()

def _take(ctx, prefix):
    lay_out(ctx, ctx.attr.version, [_TAKE.replace("VERSION", ctx.attr.version), prefix])

def _take_local(ctx, prefix):
    """Copies a CPython of the machine and returns the digest of the copy."""
    program = "bin/python" + ctx.attr.version
    if not prefix.startswith("/") or not ctx.path(prefix + "/" + program).exists:
        fail("{}={}: there is no {}; name the folder above it by its whole path".format(
            _LOCAL[ctx.attr.version],
            prefix,
            program,
        ))
    _take(ctx, prefix)
    return _run(ctx, _DIGEST).split(" ")[0]

def _take_pinned(ctx):
    """Unpacks the pinned build."""
    file = json.decode(ctx.read(ctx.attr.table))[ctx.attr.archive]["files"][0]
    if not ctx.download(url = file["url"], output = "packed", sha256 = file["sha256"], allow_fail = True).success:
        fail(("TensorFlow 1.15.5 needs CPython 3.7, which is not here: {} could not be had (the WARNING above says " +
              "why); put this file, of sha256 {}, into a folder and pass --distdir=FOLDER, or name a CPython 3.7 of " +
              "this machine, which what is made will say: --repo_env={}=FOLDER, where bin/python3.7 is.").format(
            file["url"],
            file["sha256"],
            _LOCAL[ctx.attr.version],
        ))
    for row in fetch_wheels(ctx, ctx.read(ctx.attr.lock), "wheels"):
        extract_wheel(ctx, "wheels/" + row.file, "zstandard")
    unpacked = ctx.execute(
        [ctx.path(ctx.attr.python), ctx.path(ctx.attr._unpacker), "packed", "build"],
        environment = dict(HERMETIC_ENVIRONMENT, PYTHONPATH = str(ctx.path("zstandard"))),
    )
    if unpacked.return_code != 0:
        fail("{}: {}".format(file["url"], unpacked.stderr.strip()))
    for path in ["packed", "wheels", "zstandard"]:
        ctx.delete(path)
    _take(ctx, str(ctx.path("build/python/install")))
    ctx.delete("build")

def _cpython_impl(ctx):
    version = ctx.attr.version
    local = ctx.os.environ.get(_LOCAL[version], "")
    local_sha256 = _take_local(ctx, local) if local else ""
    if not local and not ctx.attr.archive:
        fail(("CPython {} is on no registry; name one of this machine: --repo_env={}=FOLDER, where bin/python{} " +
              "is.").format(version, _LOCAL[version], version))
    if not local:
        _take_pinned(ctx)
    for package in ctx.attr.packages:
        unpack_debian_package(ctx, package, "unpacked")
    add_libraries(ctx, version)
    foreign = _run(ctx, _KEEP_OUT_THE_HOST)
    if foreign:
        fail("{}={}: it cannot run with the packaged libraries alone: {}".format(_LOCAL[version], local, foreign))
    compile_runtime(ctx, version)
    started = ctx.execute(
        [ctx.path("python"), "-c", "import ctypes, platform, zlib; print(platform.python_version())"],
        environment = HERMETIC_ENVIRONMENT,
    )
    if started.return_code != 0:
        fail("CPython {} does not start: {}".format(version, started.stderr.strip()))
    ctx.file("BUILD.bazel", _BUILD.format(
        local_sha256 = repr(local_sha256),
        version = repr(started.stdout.strip()),
    ))

_ATTRS = dict(
    dict(pip_attrs, **runtime_attrs),
    archive = attr.string(doc = "The pinned build's name in the table; empty if there is none."),
    table = attr.label(doc = "The pin, in the form of `third_party/checkpoints/released.lock.json`."),
    version = attr.string(doc = "The minor version.", mandatory = True),
    _unpacker = attr.label(default = Label("//third_party/python:unpack_zstandard.py")),
)

cpython_3_7 = repository_rule(
    implementation = _cpython_impl,
    doc = """CPython 3.7 in the form of `cpython`: `python`, a launcher, and `runtime`, with the packaged shared libraries
and loader, so that no library of the machine is loaded; modules that need one are left out.

It is the pinned build, from its host, the repository cache or a --distdir, unless `--repo_env=PYTHON_3_7=FOLDER` names
one of the machine. That one is copied, so its files are inputs like others. Since others cannot obtain them,
`:interpreter` has their digest, and models converted with it state it. Later changes in FOLDER are only noticed after
`bazel sync`.""",
    attrs = _ATTRS,
    environ = [_LOCAL["3.7"]],
)

cpython_3_8 = repository_rule(
    implementation = _cpython_impl,
    doc = "CPython 3.8, like `cpython_3_7`. No build is pinned, so `--repo_env=PYTHON_3_8=FOLDER` has to name one.",
    attrs = _ATTRS,
    environ = [_LOCAL["3.8"]],
)
