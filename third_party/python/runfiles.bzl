"""Where files lie among the runfiles of a program."""

def runfiles_path(ctx, file):
    """Returns the path of a file below the folder of runfiles, `REPOSITORY/PATH`.

    Args:
      ctx: the rule's context.
      file: a File.
    """
    path = file.short_path
    return path[len("../"):] if path.startswith("../") else ctx.workspace_name + "/" + path
