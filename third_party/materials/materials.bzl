"""What stands behind each external repository, for the provenance of a model.

Read from the declarations themselves, so that a repository cannot be declared without being told of.
"""

# The attributes of the project's repository rules that say what is fetched.
_LABELS = ["adapter", "lock", "package", "table", "tools_lock"]
_LABEL_LISTS = ["packages"]
_NAMES = ["archive"]

def _path(label):
    """Returns the path of a file of the workspace, or `@repository//:file` as it is."""
    text = str(label)
    for prefix in ["@@reproducible_tflite//", "@reproducible_tflite//", "@@//", "@//", "//"]:
        if text.startswith(prefix):
            return text[len(prefix):].replace(":", "/")
    return text.replace("@@", "@")

def _describe(declared):
    described = {"rule": declared["kind"].lstrip("_")}
    for attribute in _LABELS:
        if declared.get(attribute):
            described[attribute] = _path(declared[attribute])
    for attribute in _LABEL_LISTS:
        if declared.get(attribute):
            described[attribute] = [_path(label) for label in declared[attribute]]
    for attribute in _NAMES:
        if declared.get(attribute):
            described[attribute] = declared[attribute]
    return described

def _bazel(ctx):
    """Returns the version and the digest of the Bazel that runs, each "" where nothing tells."""
    embedded_tools = ctx.path(ctx.attr._embedded_tool).realpath.dirname.dirname.dirname

    # Debian's states its version beside its server only.
    label = embedded_tools.dirname.get_child("build-label.txt")
    version = ctx.attr.bazel_version or (ctx.read(label).strip() if label.exists else "")
    server = embedded_tools.dirname.get_child("A-server.jar")
    if not server.exists:
        return {"version": version, "sha256": ""}

    # Bazel's own digest of a file, which takes no program of the machine.
    copy = "A-server.jar"
    digest = ctx.download(url = "file://{}".format(server), output = copy).sha256
    ctx.delete(copy)
    return {"version": version, "sha256": digest}

_BUILD = """\
package(default_visibility = ["//visibility:public"])

exports_files(["table.bzl"])

# What the table names: locks, and the programs that adapt.
filegroup(
    name = "files",
    srcs = {files},
)

filegroup(
    name = "debian_packages",
    srcs = {debian_packages},
)
"""

def _materials_impl(ctx):
    table = json.decode(ctx.attr.table)
    ctx.file("table.bzl", "\"\"\"Written by third_party/materials.\"\"\"\n\nBAZEL = {}\n\nMATERIALS = {}\n".format(
        repr(_bazel(ctx)),
        repr(table),
    ))
    files = {}
    debian_packages = {"@debian//:replaced.json": None}
    for described in table.values():
        for attribute in _LABELS:
            file = described.get(attribute, "")
            if file and not file.startswith("@"):
                files["@reproducible_tflite//{}:{}".format(*file.rsplit("/", 1))] = None
        for package in described.get("packages", []) + [described.get("package", "")]:
            # Others would have to be fetched, though no model may need them.
            if package.startswith("@debian//:"):
                debian_packages[package] = None
    for package in ctx.attr.pip_packages:
        debian_packages[package] = None
    ctx.file("BUILD.bazel", _BUILD.format(
        files = repr(sorted(files)),
        debian_packages = repr(sorted(debian_packages)),
    ))

_materials = repository_rule(
    implementation = _materials_impl,
    doc = "`table.bzl`: `MATERIALS`, what each repository is made of, and `BAZEL`, which Bazel runs; the files that it names.",
    attrs = {
        "bazel_version": attr.string(doc = "What this Bazel calls its version; Debian's calls it nothing."),
        "pip_packages": attr.string_list(doc = "The Debian packages with which every lock of wheels is installed."),
        "table": attr.string(doc = "`MATERIALS` as JSON.", mandatory = True),
        # A file that every Bazel brings, to find the others by.
        "_embedded_tool": attr.label(default = "@bazel_tools//tools/genrule:genrule-setup.sh"),
    },
    # Another Bazel is another server, which asks again.
    local = True,
)

def materials(name, pip_packages):
    """Declares the repository that tells what all others, declared before it, are made of.

    Args:
      name: its name.
      pip_packages: labels of the Debian packages with which wheels are installed.
    """
    _materials(
        name = name,
        bazel_version = native.bazel_version,
        pip_packages = pip_packages,
        table = json.encode({
            repository: _describe(declared)
            for repository, declared in native.existing_rules().items()
            if [attribute for attribute in _LABELS + _LABEL_LISTS + _NAMES if declared.get(attribute)]
        }),
    )
