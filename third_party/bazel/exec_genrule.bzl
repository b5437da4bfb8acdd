"""A genrule whose tools are built for the machine that executes, on every supported Bazel."""

# Bazel 4 and 5 build `tools` for the host configuration, which knows no execution platform and no toolchain
# of it, and have `exec_tools` beside it. Later ones have only `tools`, and mean this. Debian's Bazel does not
# say its version, so this asks for something that came with the change.
_ATTRIBUTE = "tools" if hasattr(native, "package_relative_label") else "exec_tools"

def exec_genrule(name, exec_tools, **kwargs):
    """A genrule.

    Args:
      name: the rule's name.
      exec_tools: a list of the labels of the programs that it runs.
      **kwargs: the other attributes of a genrule.
    """
    native.genrule(
        name = name,
        **dict(kwargs, **{_ATTRIBUTE: exec_tools})
    )
