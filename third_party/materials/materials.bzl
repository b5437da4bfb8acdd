"""The materials of each external repository, for the provenance of models.

They are read from the declarations themselves, so no declared repository can be missing.
"""

# The attributes of the project's repository rules that define what is fetched.
_LABELS = ["adapter", "lock", "package", "table", "tools_lock"]
_LABEL_LISTS = ["packages"]
_VALUES = ["archive", "requirements"]

_OWN = Label("//third_party/materials").workspace_name

def repository_name(canonical):
    """Returns the name of a repository as it is declared here.

    Args:
      canonical: its name for Bazel; as a module, `reproducible_tflite~~repositories~NAME`, or with `+` for `~` in newer
        Bazels.
    """
    return ([part for part in canonical.replace("+", "~").split("~") if part] or [""])[-1]

def _path(label):
    """Returns the path of one of the project's files, or `@repository//:file`."""
    if label.workspace_name == _OWN:
        return label.package + "/" + label.name
    return "@{}//{}:{}".format(repository_name(label.workspace_name), label.package, label.name)

def _describe(attributes):
    described = {attribute: _path(attributes[attribute]) for attribute in _LABELS if attributes.get(attribute)}
    for attribute in _LABEL_LISTS:
        if attributes.get(attribute):
            described[attribute] = [_path(label) for label in attributes[attribute]]
    for attribute in _VALUES:
        if attributes.get(attribute):
            described[attribute] = attributes[attribute]
    return described

def _bazel(ctx):
    """Returns the version and the digest of the running Bazel; "" for an unknown one."""
    embedded_tools = ctx.path(ctx.attr._embedded_tool).realpath.dirname.dirname.dirname

    # Debian's Bazel states its version only next to its server.
    label = embedded_tools.dirname.get_child("build-label.txt")
    version = ctx.attr.bazel_version or (ctx.read(label).strip() if label.exists else "")
    server = embedded_tools.dirname.get_child("A-server.jar")
    if not server.exists:
        return {"version": version, "sha256": ""}

    # Bazel computes the digest itself, without a program of the machine.
    copy = "A-server.jar"
    digest = ctx.download(url = "file://{}".format(server), output = copy).sha256
    ctx.delete(copy)
    return {"version": version, "sha256": digest}

_TABLE = """\
\"\"\"Written by third_party/materials.\"\"\"

BAZEL = {bazel}

MATERIALS = {materials}

PINNED = {pinned}
"""

_BUILD = """\
package(default_visibility = ["//visibility:public"])

exports_files(["table.bzl"])

# The files in the table: locks and adapters.
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
    ctx.file("table.bzl", _TABLE.format(
        bazel = repr(_bazel(ctx)),
        materials = repr(table),
        pinned = repr(sorted(table)),
    ))
    files = {}
    debian_packages = {"@reproducible_tflite_debian//:replaced.json": None}
    for described in table.values():
        for attribute in _LABELS:
            file = described.get(attribute, "")
            if file and not file.startswith("@"):
                files["@reproducible_tflite//{}:{}".format(*file.rsplit("/", 1))] = None
        for package in described.get("packages", []) + [described.get("package", "")]:
            # Others would have to be fetched, although a model may not need them.
            if package.startswith("@reproducible_tflite_debian//:"):
                debian_packages[package] = None
    for package in ctx.attr.pip_packages:
        debian_packages[package] = None
    ctx.file("BUILD.bazel", _BUILD.format(
        files = repr(sorted(files)),
        debian_packages = repr(sorted(debian_packages)),
    ))

_materials = repository_rule(
    implementation = _materials_impl,
    doc = """`table.bzl`: `MATERIALS`, the materials of each repository that the project declares; `PINNED`, the names of
all repositories that a lock pins by digest; and `BAZEL`, the running Bazel. And the files in the table.""",
    attrs = {
        "bazel_version": attr.string(doc = "This Bazel's version; empty for Debian's Bazel."),
        "pip_packages": attr.string_list(doc = "The Debian packages that install every lock of wheels."),
        "table": attr.string(doc = "`MATERIALS` as JSON.", mandatory = True),
        # A file that every Bazel has, as the starting point to locate others.
        "_embedded_tool": attr.label(default = "@bazel_tools//tools/genrule:genrule-setup.sh"),
    },
    # With another Bazel, another server runs, which evaluates the rule again.
    local = True,
)

def materials(name, declared, pip_packages):
    """Declares the repository with the materials of other repositories.

    Args:
      name: its name.
      declared: a dict of their names to their attributes.
      pip_packages: labels of the Debian packages that install wheels.
    """
    table = {repository: _describe(attributes) for repository, attributes in declared.items()}
    _materials(
        name = name,
        bazel_version = native.bazel_version,
        pip_packages = pip_packages,
        table = json.encode({repository: described for repository, described in table.items() if described}),
    )
