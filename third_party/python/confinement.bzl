"""Whether this machine's kernel can confine actions to their inputs (confine.py)."""

load(":cpython.bzl", "HERMETIC_ENVIRONMENT")

# Set by --config=ci.
_REQUIRE_LANDLOCK = "REQUIRE_LANDLOCK"

# Confines itself as an action would be.
_TRY = "import confine, sys; sys.exit(0 if confine.confine('/', set()) else {})"
_UNCONFINED = 3

def confinement_fault(return_code, stderr):
    """Says what is wrong with this machine.

    Args:
      return_code: that of the program that tried to confine itself.
      stderr: what it wrote.

    Returns:
      One line, or "" if nothing is wrong.
    """
    if return_code == 0:
        return ""
    if return_code == _UNCONFINED:
        return ("This kernel has no Landlock, so programs in actions can read files of this machine that are not their " +
                "inputs. Use Linux 5.19 or later with Landlock enabled; a container must allow its system calls.")
    return "Whether this kernel has Landlock is unknown: " + " ".join([line.strip() for line in stderr.splitlines()])

def _confinement_impl(ctx):
    ctx.symlink(ctx.attr._confine, "confine.py")
    tried = ctx.execute(
        [ctx.path(ctx.attr.python), "-c", _TRY.format(_UNCONFINED)],
        environment = dict(HERMETIC_ENVIRONMENT, PYTHONPATH = str(ctx.path("."))),
    )
    fault = confinement_fault(tried.return_code, tried.stderr)
    if fault and ctx.os.environ.get(_REQUIRE_LANDLOCK):
        fail(fault)
    if fault:
        # buildifier: disable=print
        print("WARNING: " + fault)
    if ctx.os.environ.get(_REQUIRE_LANDLOCK):
        # The launcher looks for it, outside a sandbox only. It is no input, so CI's actions have the keys of everybody's.
        ctx.file("required")
    ctx.file("BUILD.bazel")
    ctx.file("confinement.bzl", "def check_confinement():\n    \"\"\"Does nothing: the check is done when this is loaded.\"\"\"\n")

confinement = repository_rule(
    implementation = _confinement_impl,
    doc = "`confinement.bzl`, which says once for each Bazel server if actions are not confined; with --config=ci, " +
          "loading it fails then, and so does an action outside a sandbox (launcher.sh.tpl).",
    attrs = {
        "python": attr.label(doc = "The interpreter.", mandatory = True),
        "_confine": attr.label(default = Label("//third_party/python:confine.py")),
    },
    environ = [_REQUIRE_LANDLOCK],
    # The machine may have started another kernel.
    local = True,
)
