"""Wheels pinned by sha256 and fetched by pip, and directories with their installed packages."""

load("//third_party/debian:debian.bzl", "accept_pinned", "fail_digest", "find_pinned", "unpack_debian_package")
load("//third_party/python:cpython.bzl", "compile_python", "pack_python", "packs")

def _out_of_place(line):
    fail("a lock's line is out of place, re-lock with: bazel run //third_party:relock: " + line)

def parse_lock(content):
    """Reads a lock file.

    A lock is a pip requirements file with the sha256 of one wheel or sdist per package, followed by the comment
    `# file: NAME` with its name in a --distdir.

    Args:
      content: the file's text.

    Returns:
      A list of structs with `requirement` (such as `absl-py==2.1.0`), `sha256` and `file`.
    """
    rows = []
    requirement, sha256 = None, None
    for line in content.splitlines():
        line = line.strip()
        if line.startswith("# file: "):
            if not requirement or not sha256:
                _out_of_place(line)
            rows.append(struct(requirement = requirement, sha256 = sha256, file = line[len("# file: "):]))
            requirement, sha256 = None, None
        elif line.startswith("--hash=sha256:"):
            sha256 = line[len("--hash=sha256:"):]
        elif line and not line.startswith("#"):
            # An incomplete row is an error.
            if requirement:
                _out_of_place(line)
            requirement = line.split(" ")[0]
    if requirement:
        _out_of_place(requirement)
    return rows

# A person's settings apply to registries, but not to the installation of wheels.
_NO_SETTINGS = {"PIP_CONFIG_FILE": "/dev/null"}

def _pip(ctx, arguments, settings = {}):
    """Runs the packaged pip on the packaged CPython, with the person's own pip settings.

    Args:
      ctx: the repository context of a rule with `pip_attrs`.
      arguments: pip's arguments.
      settings: environment variables for pip.

    Returns:
      The result of ctx.execute.
    """
    unpack_debian_package(ctx, ctx.attr._pip, "unpacked-pip")
    unpack_debian_package(ctx, ctx.attr._setuptools, "unpacked-pip")
    wheels = [
        str(wheel)
        for wheel in ctx.path("unpacked-pip/usr/share/python-wheels").readdir()
    ]
    result = ctx.execute(
        [ctx.path(ctx.attr.python), "-m", "pip", "--disable-pip-version-check", "--no-input", "--quiet"] + arguments,
        environment = dict(
            settings,
            PIP_REQUIRE_VIRTUALENV = "0",
            PYTHONPATH = ":".join(wheels),
            REPOSITORY_RULE = "1",
        ),
        timeout = 1800,
    )
    ctx.delete("unpacked-pip")
    return result

def _target(ctx, python_version, abi):
    """Returns pip's flags for wheels for a given CPython on this platform, independent of the CPython that runs pip."""
    flags = ["--only-binary", ":all:", "--implementation", "cp", "--python-version", python_version]
    for tag in [abi, "abi3", "none"]:
        flags += ["--abi", tag]
    for platform in ctx.read(ctx.attr._platforms).splitlines():
        flags += ["--platform", platform]
    return flags

def fetch_wheels(ctx, lock, output, python_version = "311", abi = "cp311", only = []):
    """Fetches the files of a lock: from the repository cache or a --distdir, otherwise with pip.

    Args:
      ctx: the repository context of a rule with `pip_attrs`.
      lock: the lock's text.
      output: the folder for the files.
      python_version: the version of the wheels' Python, without dots.
      abi: its ABI tag.
      only: the packages to fetch; all if empty.

    Returns:
      The packages' rows of the lock.
    """
    rows = [row for row in parse_lock(lock) if not only or row.requirement.partition("==")[0] in only]
    if only and len(rows) != len(only):
        fail("a lock lacks some of {}, re-lock with: bazel run //third_party:relock".format(", ".join(only)))
    missing = find_pinned(ctx, rows, output)
    if not missing:
        return rows
    ctx.file("missing.txt", "".join([
        "{} --hash=sha256:{}\n".format(row.requirement, row.sha256)
        for row in missing
    ]))

    # pip accepts no platform flags for source archives.
    source = [row for row in missing if not row.file.endswith(".whl")]
    if source and len(source) != len(missing):
        fail("a lock holds either wheels or source archives")
    target = ["--no-binary", ":all:", "--no-build-isolation"] if source else _target(ctx, python_version, abi)
    result = _pip(ctx, [
        "download",
        "--no-deps",
        "--require-hashes",
        "--dest",
        "downloaded",
        "--requirement",
        "missing.txt",
    ] + target)
    if result.return_code != 0:
        for row in missing:
            if "Expected sha256 " + row.sha256 in result.stderr:
                fail_digest(row.file, row.sha256)

        # Lines with ERROR name the problem, and lines before them the reason; the others are advice.
        lines = result.stderr.splitlines()
        unreachable = [line for line in lines if "connection broken" in line][:1]
        errors = unreachable + [line for line in lines if "ERROR" in line] or [result.stderr.strip()]
        fail(("Python packages cannot be fetched: {} (Without a network, put the files that the lock names " +
              "into a folder and pass --distdir=FOLDER, or pass the --repository_cache of a machine that has " +
              "built.) Wanted: {}.").format(" ".join(errors), ", ".join([row.file for row in missing])))
    for row in missing:
        accept_pinned(ctx, "downloaded/" + row.file, row.sha256, output + "/" + row.file)
    ctx.delete("downloaded")
    ctx.delete("missing.txt")
    return rows

def extract_wheel(ctx, wheel, output = ""):
    """Unpacks a wheel without installing it.

    Args:
      ctx: the repository context.
      wheel: the wheel's label or path.
      output: the folder for its files; the repository itself if empty.
    """

    # Bazel recognises an archive's format by its suffix.
    ctx.symlink(wheel, "wheel.zip")
    ctx.extract("wheel.zip", output)
    ctx.delete("wheel.zip")

pip_attrs = {
    "lock": attr.label(doc = "The lock file.", mandatory = True),
    "python": attr.label(doc = "The CPython that runs pip.", default = Label("@reproducible_tflite_cpython_3_11//:python")),
    "_pack": attr.label(default = Label("//third_party/python:pack.py")),
    # The platforms of wheels that run on the packaged CPython.
    "_platforms": attr.label(default = Label("//third_party/pip:platforms.txt")),
    "_pip": attr.label(default = Label("@reproducible_tflite_debian//:python3-pip-whl.deb")),
    "_setuptools": attr.label(default = Label("@reproducible_tflite_debian//:python3-setuptools-whl.deb")),
}

_SITE_BUILD = """\
load("@reproducible_tflite//third_party/python:site.bzl", "python_site_library")

package(default_visibility = ["//visibility:public"])

exports_files(["site"])

python_site_library(
    name = "site_library",
    site = "site",
)
"""

_CLEAN = """
cd site
# Console scripts name the interpreter that installed them; the rest records how pip was called.
rm -rf bin
find . '(' -name RECORD -o -name INSTALLER -o -name REQUESTED -o -name direct_url.json ')' -path '*.dist-info/*' -delete
find . -type d '(' -name __pycache__ -o -name tests ')' -prune -exec rm -rf '{}' +
for path in "$@"; do rm -rf "./$path"; done
# Bazel refuses a label with a space.
find . -name '* *' -prune -exec rm -rf '{}' +
"""

def _python_site_impl(ctx):
    version = ctx.attr.python_version
    abi = ctx.attr.abi or "cp" + version
    rows = fetch_wheels(ctx, ctx.read(ctx.attr.lock), "wheels", version, abi, ctx.attr.requirements)
    target = _target(ctx, version, abi) if ctx.attr.interpreter else []
    result = _pip(ctx, [
        "install",
        "--isolated",
        "--no-index",
        "--no-deps",
        "--no-compile",
        "--target",
        "site",
    ] + target + ["wheels/" + row.file for row in rows], _NO_SETTINGS)
    if result.return_code != 0:
        fail("{} cannot be installed: {}".format(ctx.attr.lock, result.stderr.strip()))
    ctx.delete("wheels")
    result = ctx.execute(["sh", "-ec", _CLEAN, "sh"] + ctx.attr.drop)
    if result.return_code != 0:
        fail("{} cannot be cleaned: {}".format(ctx.attr.lock, result.stderr.strip()))
    compile_python(ctx, ctx.path(ctx.attr.interpreter or ctx.attr.python), "site", "/site")
    if packs("3." + version[1:]):
        opened = {path: ctx.read("site/" + path) for path in ctx.attr.opened}
        pack_python(ctx, ctx.path(ctx.attr.python), ctx.attr._pack, "site", "site/site.zip")
        for path, content in opened.items():
            ctx.file("site/" + path, content, executable = False)
    ctx.file("BUILD.bazel", _SITE_BUILD)

python_site = repository_rule(
    implementation = _python_site_impl,
    doc = """The wheels of a lock, installed into a directory, `site`, with its modules packed into `site.zip`.
Depend on `site_library`: staging it costs an action a single link, regardless of the number of files.""",
    attrs = dict(
        pip_attrs,
        abi = attr.string(doc = "The wheels' ABI tag, if it is not `cp` and the version."),
        drop = attr.string_list(doc = "Paths in the site that no build reads, relative to it."),
        interpreter = attr.label(doc = "The packages' CPython, if it is not the one that runs pip."),
        opened = attr.string_list(doc = "Modules that a package opens as files: they stay beside the archive, too."),
        python_version = attr.string(
            doc = "The version of the packages' CPython, without its dot.",
            default = "311",
        ),
        requirements = attr.string_list(doc = "The packages to install; all of the lock if empty."),
    ),
)
