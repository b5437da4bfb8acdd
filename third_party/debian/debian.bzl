"""Debian packages, pinned by sha256, fetched by the machine's own apt."""

STRICT_PINS = "STRICT_PINS"

# The folders of --distdir, one per line, as set by ./bazelw; a repository rule cannot see that flag.
DISTDIRS = "DISTDIRS"

def _file_url(path):
    return "file://" + str(path).replace("%", "%25")

def find_pinned(ctx, pins, output):
    """Takes pinned files from the repository cache and from every --distdir, without contacting any host.

    Args:
      ctx: the repository context.
      pins: structs with `file`, the published base name, which is also the name in a --distdir, and `sha256`.
      output: the folder for the files.

    Returns:
      The pins that are in neither place.
    """

    def take(pin, url):
        return ctx.download(url = url, output = output + "/" + pin.file, sha256 = pin.sha256, allow_fail = True).success

    # Bazel answers a download without a URL from its repository cache, by digest.
    candidates = [pin for pin in pins if not take(pin, [])]
    missing = []
    if DISTDIRS in ctx.os.environ:
        folders = [ctx.path(folder) for folder in ctx.os.environ[DISTDIRS].splitlines()]
        for pin in candidates:
            taken = False
            for path in [folder.get_child(pin.file) for folder in folders]:
                taken = path.exists and take(pin, _file_url(path))
                if taken:
                    break
            if not taken:
                missing.append(pin)
        return missing

    # Bazel searches a --distdir, by the URL's base name, only when it contacts a host, and warns about each missing
    # file. So if the first file is missing, the others are not looked for.
    for count, pin in enumerate(candidates):
        if (count and count == len(missing)) or not take(pin, "file:///not-in-a-distdir-so-asking-the-registry/" + pin.file):
            missing.append(pin)
    return missing

def fail_digest(file, sha256):
    """Stops because a registry's file differs from the pinned one.

    Args:
      file: its name.
      sha256: the expected digest.
    """
    fail(("{} is there, but its sha256 is not {} as the lock says: it was replaced, or damaged on its way. " +
          "Pass the genuine file with --distdir=FOLDER, or re-lock with: bazel run //third_party:relock").format(
        file,
        sha256,
    ))

def accept_pinned(ctx, path, sha256, output):
    """Moves a file from a registry's client to its place, if it has the expected digest.

    It goes through the repository cache, where the next fetch finds it.

    Args:
      ctx: the repository context.
      path: the file, inside the new repository.
      sha256: the expected digest; "" for a replaced revision, which has no pin.
      output: the file's new path.
    """
    if not ctx.download(url = _file_url(ctx.path(path)), output = output, sha256 = sha256, allow_fail = True).success:
        fail_digest(output.rpartition("/")[2], sha256)
    ctx.delete(path)

def _debian_packages_impl(ctx):
    machine = ctx.execute(["uname", "-sm"]).stdout.strip()
    if machine != "Linux x86_64":
        fail("this project's interpreter and TensorFlow are for Linux on x86_64; this machine is {}".format(machine))
    pins = [struct(**row) for row in json.decode(ctx.read(ctx.attr.lock))["packages"]]
    missing = {}
    for pin in find_pinned(ctx, pins, "debs"):
        missing.setdefault(pin.suite, []).append(pin)

    replaced = {}
    for suite, wanted in missing.items():
        state = "apt-" + suite
        result = ctx.execute(
            [ctx.path(ctx.attr._fetch), state, "downloaded", suite] +
            [pin.package + "=" + pin.version for pin in wanted],
            timeout = 600,
        )
        if result.return_code != 0:
            fail("Debian packages cannot be fetched: {} Wanted: {}.".format(
                result.stderr.strip(),
                ", ".join([pin.file for pin in wanted]),
            ))
        for line in result.stdout.splitlines():
            _, package, pinned, candidate = line.split(" ")
            replaced[package] = candidate
            message = ("{} {} is gone from the Debian archive; {} is there instead. " +
                       "Re-pin with: bazel run //third_party:relock").format(package, pinned, candidate)
            if ctx.os.environ.get(STRICT_PINS):
                fail(message)

            # buildifier: disable=print
            print("WARNING: " + message)
        for pin in wanted:
            version = replaced.get(pin.package, pin.version).replace(":", "%3a")
            downloaded = "downloaded/{}_{}_{}.deb".format(pin.package, version, pin.architecture)
            accept_pinned(ctx, downloaded, "" if pin.package in replaced else pin.sha256, "debs/" + pin.file)
        ctx.delete(state)
    ctx.delete("downloaded")

    for pin in pins:
        ctx.symlink("debs/" + pin.file, pin.package + ".deb")

    # The replacements of pinned packages. A build with --config=ci does not accept any.
    ctx.file("replaced.json", json.encode(replaced) + "\n")
    ctx.file("BUILD.bazel", """\
package(default_visibility = ["//visibility:public"])

exports_files(glob(["*.deb"]) + ["replaced.json"])
""")

debian_packages = repository_rule(
    implementation = _debian_packages_impl,
    doc = "A `PACKAGE.deb` for each row of the lock file, and `replaced.json`: the packages whose " +
          "pinned revision is gone from the archive, with the versions used instead.",
    attrs = {
        "lock": attr.label(
            doc = "The lock: a JSON object whose `packages` is a list of objects with `package`, `version`, " +
                  "`architecture`, `suite`, `file` and `sha256`.",
            mandatory = True,
        ),
        "_fetch": attr.label(default = Label("//third_party/debian:fetch.sh")),
    },
    environ = [STRICT_PINS],
)

def unpack_debian_package(ctx, package, output):
    """Unpacks a Debian package inside a repository rule.

    Args:
      ctx: the repository context.
      package: the label of the .deb.
      output: the folder for its files.
    """
    unpacker = ctx.which("dpkg-deb")
    if not unpacker:
        fail("dpkg-deb is not on PATH; install the package dpkg, which other systems than Debian have too")
    result = ctx.execute([unpacker, "-x", ctx.path(package), output])
    if result.return_code != 0:
        fail("{} cannot be unpacked: {}".format(package, result.stderr.strip()))

def _debian_package_tree_impl(ctx):
    unpack_debian_package(ctx, ctx.attr.package, "unpacked")

    # The folder's contents become the repository's root, as with an archive's strip_prefix.
    result = ctx.execute(["sh", "-ec", "cp -RL unpacked/\"$1\"/. . && rm -rf unpacked", "sh", ctx.attr.strip_prefix])
    if result.return_code != 0:
        fail("{}: {} cannot be taken out of it: {}".format(ctx.attr.package, ctx.attr.strip_prefix, result.stderr.strip()))

debian_package_tree = repository_rule(
    implementation = _debian_package_tree_impl,
    doc = "A folder of a Debian package as a repository.",
    attrs = {
        "package": attr.label(doc = "The .deb.", mandatory = True),
        "strip_prefix": attr.string(doc = "The folder inside the package, without a leading slash.", mandatory = True),
    },
)
