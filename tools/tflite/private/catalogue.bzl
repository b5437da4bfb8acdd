"""The gallery of models: a page with a table, and the cards beside it."""

load(":card.bzl", "CardInfo")

def _catalogue_impl(ctx):
    folder = ctx.label.name + "/"
    index = ctx.actions.declare_file(folder + "index.html")
    rows = [card[CardInfo].row for card in ctx.attr.cards]
    arguments = ctx.actions.args()
    arguments.add_all(rows, before_each = "--row")
    arguments.add("--output", index)
    ctx.actions.run(
        executable = ctx.executable._write_catalogue,
        arguments = [arguments],
        inputs = rows,
        outputs = [index],
        mnemonic = "Catalogue",
        progress_message = "Writing the catalogue %{label}",
    )
    files = [index]
    for card in ctx.attr.cards:
        for file in [card[CardInfo].page] + card[CardInfo].beside:
            linked = ctx.actions.declare_file(folder + file.basename)
            ctx.actions.symlink(output = linked, target_file = file)
            files.append(linked)
    return [DefaultInfo(files = depset(files), runfiles = ctx.runfiles(files = files))]

catalogue = rule(
    implementation = _catalogue_impl,
    doc = """Makes `NAME/index.html`, a table of models that can be searched, filtered and sorted, with their cards beside it.

The folder works from a file system, without a server and without a network. Its files are links; `cp -rL` copies it.""",
    attrs = {
        "cards": attr.label_list(
            doc = "The models' cards: `NAME.card` of each `tflite_model`.",
            mandatory = True,
            allow_empty = False,
            providers = [CardInfo],
        ),
        "_write_catalogue": attr.label(
            default = Label("//tools/steps/catalogue:write_catalogue"),
            executable = True,
            cfg = "exec",
        ),
    },
)
