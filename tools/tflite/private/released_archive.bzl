"""Published files, pinned by sha256: an unpacked archive, a file, or a folder."""

load(":labels.bzl", "label_text", "typed_label", "weights_flag")

ReleasedArchiveInfo = provider(
    doc = "The files of a row of the pin table.",
    fields = {
        "name": "string: the row's name.",
        "urls": "list of strings: the addresses of its publication.",
        "sha256": "string: its digest, for several files `DIGEST of PATH, ...`; empty if unknown, and then there are no files.",
        "files": "depset of Files: its files.",
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
        "urls": attr.string_list(doc = "The addresses of its publication.", mandatory = True),
        "sha256": attr.string(doc = "Its digest; empty if unknown."),
        "srcs": attr.label_list(doc = "Its files.", allow_files = True),
    },
    provides = [ReleasedArchiveInfo],
)

# The common attributes of rules for published files.
RELEASED_ATTRS = {
    "archive": attr.label(
        doc = "The published files: `@reproducible_tflite_released_NAME//:archive`.",
        mandatory = True,
        providers = [ReleasedArchiveInfo],
    ),
    "quantization_aware": attr.bool(doc = "Whether the variables include quantization ranges."),
}

def released_files(ctx):
    """Returns the published files of a rule that has `RELEASED_ATTRS`; see `pinned_archive`."""
    return pinned_archive(ctx, ctx.attr.archive[ReleasedArchiveInfo])

def pinned_archive(ctx, archive):
    """Returns the published files, or stops because their digest is unknown.

    Args:
      ctx: the rule's context.
      archive: their ReleasedArchiveInfo.

    Returns:
      A struct: `files`, a list of Files; `name`; `description` for a CheckpointInfo.
    """
    if not archive.sha256:
        fail(("{}: no digest of {} is published, so its bytes cannot be trusted yet; run " +
              "`bazel run {} -- {}` to download it from {}, check it and write the pin, or " +
              "build with {}.").format(
            label_text(ctx.label),
            archive.name,
            typed_label(Label("//tools/checkpoints:pin")),
            archive.name,
            " and ".join(archive.urls),
            weights_flag("seeded"),
        ))
    return struct(
        files = archive.files.to_list(),
        name = archive.name,
        description = "released weights: {} (sha256 {})".format(archive.name, archive.sha256),
    )

def released_file(ctx, released, path, what):
    """Returns one of the published files, or stops unless exactly one matches the path.

    Args:
      ctx: the context of a rule that has `RELEASED_ATTRS` and an attribute `member`.
      released: the result of `released_files`.
      path: the file's path, or the end of it.
      what: the end of the message if there is none, such as " has no .data".

    Returns:
      A File.
    """
    matches = [file for file in released.files if ("/" + file.path).endswith("/" + path)]
    member = "{}: member = {}".format(label_text(ctx.label), repr(ctx.attr.member))
    if not matches:
        fail("{}{} in {}.".format(member, what, released.name), attr = "member")
    if len(matches) > 1:
        fail("{} is in {} {} times; give more of its path.".format(member, released.name, len(matches)), attr = "member")
    return matches[0]
