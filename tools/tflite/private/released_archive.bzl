"""What is published and pinned by sha256: an archive unpacked, a file, or a folder."""

load(":labels.bzl", "label_text")

ReleasedArchiveInfo = provider(
    doc = "The files of a row of the pin table.",
    fields = {
        "name": "string: the row's name.",
        "urls": "list of strings: where it is published.",
        "sha256": "string: its digest, of several files `DIGEST of PATH, ...`; empty when not known, and then there are no files.",
        "files": "depset of Files: what is in it.",
    },
)

def _released_archive_impl(ctx):
    files = depset(ctx.files.srcs)
    return [
        DefaultInfo(files = files),
        ReleasedArchiveInfo(
            name = ctx.attr.archive,
            urls = ctx.attr.urls,
            sha256 = ctx.attr.sha256,
            files = files,
        ),
    ]

released_archive = rule(
    implementation = _released_archive_impl,
    doc = "Describes the fetched files of a row of the pin table. Declared by the repository rule of the same name.",
    attrs = {
        "archive": attr.string(doc = "The row's name in the pin table.", mandatory = True),
        "urls": attr.string_list(doc = "Where it is published.", mandatory = True),
        "sha256": attr.string(doc = "Its digest, empty when none is known."),
        "srcs": attr.label_list(doc = "What is in it.", allow_files = True),
    },
    provides = [ReleasedArchiveInfo],
)

# What every rule that takes something out of what is published has in common.
RELEASED_ATTRS = {
    "archive": attr.label(
        doc = "What is published: `@released_NAME//:archive`.",
        mandatory = True,
        providers = [ReleasedArchiveInfo],
    ),
    "quantization_aware": attr.bool(doc = "Whether the variables hold quantization ranges."),
}

def released_files(ctx):
    """Returns what is published, or stops because no digest of it is known.

    Args:
      ctx: the context of a rule that has `RELEASED_ATTRS`.

    Returns:
      A struct: `files`, a list of Files; `name`; `description` for a CheckpointInfo.
    """
    archive = ctx.attr.archive[ReleasedArchiveInfo]
    if not archive.sha256:
        fail(("{}: no digest of {} is published, so its bytes cannot be trusted yet; run " +
              "`bazel run //tools/checkpoints:pin -- {}` to download it from {}, check it against what is known " +
              "of it and write the pin, or build with --//models:weights=seeded.").format(
            label_text(ctx.label),
            archive.name,
            archive.name,
            " and ".join(archive.urls),
        ))
    return struct(
        files = archive.files.to_list(),
        name = archive.name,
        description = "released weights: {} (sha256 {})".format(archive.name, archive.sha256),
    )

def released_file(ctx, released, path, what):
    """Returns one of the published files, or stops because it is not the only one of that path.

    Args:
      ctx: the context of a rule that has `RELEASED_ATTRS` and an attribute `member`.
      released: what `released_files` returned.
      path: the file's path, or the end of it.
      what: what is missing where there is none, as in " has no .data".

    Returns:
      A File.
    """
    found = [file for file in released.files if ("/" + file.path).endswith("/" + path)]
    member = "{}: member = {}".format(label_text(ctx.label), repr(ctx.attr.member))
    if not found:
        fail("{}{} in {}.".format(member, what, released.name), attr = "member")
    if len(found) > 1:
        fail("{} is in {} {} times, give more of its path.".format(member, released.name, len(found)), attr = "member")
    return found[0]
