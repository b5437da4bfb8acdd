"""CPython 3.7, which current Debian releases do not have: a pinned build, or one of the machine."""

load("//third_party/debian:debian.bzl", "unpack_debian_package")
load("//third_party/pip:wheels.bzl", "extract_wheel", "fetch_wheels", "pip_attrs")
load(":cpython.bzl", "HERMETIC_ENVIRONMENT", "add_libraries", "compile_runtime", "lay_out", "runtime_attrs")

_VERSION = "3.7"

_LOCAL = "PYTHON_3_7"

# $1 is the prefix. Packages that a person has installed there are left out, and so are modules that no conversion needs.
_TAKE = """
# Some builds have only the name with the ABI's flag.
program=$1/bin/python3.7
[ -e "$program" ] || program=${program}m
cp -L "$program" runtime/bin/python3.7
for library in "$1"/lib/libpython3.7*.so.*; do
    [ ! -e "$library" ] || cp -L "$library" runtime/lib/
done
mkdir runtime/lib/python3.7
for entry in "$1"/lib/python3.7/*; do
    case ${entry##*/} in
        __pycache__ | config-* | dist-packages | ensurepip | idlelib | lib2to3 | site-packages | test | turtledemo) ;;
        *) cp -RL "$entry" runtime/lib/python3.7/ ;;
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
for file in "$runtime"/bin/python3.7 "$runtime"/lib/libpython3.7*.so.* "$runtime"/lib/python3.7/lib-dynload/*.so; do
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
load("@reproducible_tflite//third_party/python:interpreter.bzl", "python_interpreter")

package(default_visibility = ["//visibility:public"])

exports_files(["python", "runtime"])

python_interpreter(
    name = "interpreter",
    local_sha256 = {local_sha256},
    version = {version},
)
"""

def _run(ctx, script):
    result = ctx.execute(["sh", "-ec", script])
    if result.return_code != 0:
        fail("The folder of CPython {} cannot be laid out: {}".format(_VERSION, result.stderr.strip()))
    return result.stdout.strip()

def _take_local(ctx, prefix):
    """Copies a CPython of the machine and returns the digest of the copy."""
    if not prefix.startswith("/") or not ctx.path(prefix + "/bin/python3.7").exists:
        fail("{}={}: there is no bin/python3.7; name the folder above it by its whole path".format(_LOCAL, prefix))
    lay_out(ctx, _VERSION, [_TAKE, prefix])
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
            _LOCAL,
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
    lay_out(ctx, _VERSION, [_TAKE, str(ctx.path("build/python/install"))])
    ctx.delete("build")

def _cpython_3_7_impl(ctx):
    local = ctx.os.environ.get(_LOCAL, "")
    local_sha256 = _take_local(ctx, local) if local else ""
    if not local:
        _take_pinned(ctx)
    for package in ctx.attr.packages:
        unpack_debian_package(ctx, package, "unpacked")
    add_libraries(ctx, _VERSION)
    foreign = _run(ctx, _KEEP_OUT_THE_HOST)
    if foreign:
        fail("{}={}: it cannot run with the packaged libraries alone: {}".format(_LOCAL, local, foreign))
    compile_runtime(ctx, _VERSION)
    version = ctx.execute(
        [ctx.path("python"), "-c", "import ctypes, platform, zlib; print(platform.python_version())"],
        environment = HERMETIC_ENVIRONMENT,
    )
    if version.return_code != 0:
        fail("CPython 3.7 does not start: " + version.stderr.strip())
    ctx.file("BUILD.bazel", _BUILD.format(
        local_sha256 = repr(local_sha256),
        version = repr(version.stdout.strip()),
    ))

cpython_3_7 = repository_rule(
    implementation = _cpython_3_7_impl,
    doc = """CPython 3.7 in the form of `cpython`: `python`, a launcher, and `runtime`, with the packaged shared libraries
and loader, so that no library of the machine is loaded; modules that need one are left out.

It is the pinned build, from its host, the repository cache or a --distdir, unless `--repo_env=PYTHON_3_7=FOLDER` names
one of the machine. That one is copied, so its files are inputs like others. Since others cannot obtain them,
`:interpreter` has their digest, and models converted with it state it. Later changes in FOLDER are only noticed after
`bazel sync`.""",
    attrs = dict(
        dict(pip_attrs, **runtime_attrs),
        archive = attr.string(doc = "The pinned build's name in the table.", mandatory = True),
        table = attr.label(doc = "The pin, in the form of `third_party/checkpoints/released.lock.json`.", mandatory = True),
        _unpacker = attr.label(default = Label("//third_party/python:unpack_zstandard.py")),
    ),
    environ = [_LOCAL],
)
