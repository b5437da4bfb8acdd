"""The catalogue of models: a page with a table, and the models' cards."""

load(":card.bzl", "CardInfo")
load(":program.bzl", "program")

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
        for file in [card[CardInfo].page] + card[CardInfo].linked:
            link = ctx.actions.declare_file(folder + file.basename)
            ctx.actions.symlink(output = link, target_file = file)
            files.append(link)
    return [DefaultInfo(files = depset(files), runfiles = ctx.runfiles(files = files))]

catalogue = rule(
    implementation = _catalogue_impl,
    doc = """Makes `NAME/index.html`, a table of models to search, filter and sort, and their cards in the same folder.

The folder needs no server and no network. Its files are links; `cp -rL` copies it.""",
    attrs = {
        "cards": attr.label_list(
            doc = "The models' cards: `NAME.card` of each `tflite_model`.",
            mandatory = True,
            allow_empty = False,
            providers = [CardInfo],
        ),
        "_write_catalogue": program("//tools/steps/catalogue:write_catalogue"),
    },
)
