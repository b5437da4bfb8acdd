"""Helpers for tests of actions."""

load("@bazel_skylib//lib:unittest.bzl", "analysistest", "asserts")

def _in_package(env, path):
    """Returns a path without the bin directory and without this package, if they are in it."""
    relative = path.partition("/bin/")[2] if path.startswith("bazel-out/") else path
    return relative.removeprefix(env.ctx.label.package + "/")

def _joined(arguments):
    """Joins arguments with separators at both ends too, so that a part of an argument never matches a complete one."""
    return "\0".join([""] + arguments + [""])

def _action_test_impl(ctx):
    env = analysistest.begin(ctx)
    actions = [action for action in analysistest.target_actions(env) if action.mnemonic == ctx.attr.mnemonic]
    asserts.equals(env, 1, len(actions), "actions with the mnemonic")
    action = actions[0]
    out = "{}/{}/".format(analysistest.target_bin_dir_path(env), ctx.label.package)
    argv = [argument.replace(out, "OUT/") for argument in action.argv]
    asserts.equals(env, ctx.attr.tool, _in_package(env, action.argv[0]))
    asserts.true(
        env,
        _joined(ctx.attr.flags) in _joined(argv[1:]),
        "{} does not stand among the arguments {}".format(ctx.attr.flags, argv[1:]),
    )
    asserts.equals(env, {}, action.env)
    outputs = [_in_package(env, file.path) for file in action.outputs.to_list()]
    asserts.equals(env, sorted(ctx.attr.outputs), sorted(outputs), "outputs")

    # The tool's main module and runfiles do not count.
    tool = ctx.attr.tool
    inputs = [_in_package(env, file.path) for file in action.inputs.to_list() if "_middlemen" not in file.path]
    asserts.true(env, tool in inputs, "the tool is no input")
    own = [tool, tool + ".py", tool.rpartition("_")[0] + ".py"]
    asserts.equals(env, sorted(ctx.attr.inputs), sorted([path for path in inputs if path not in own]))
    return analysistest.end(env)

_FILE = "; a file of this package by its name there."

_action_test = analysistest.make(
    _action_test_impl,
    attrs = {
        "mnemonic": attr.string(doc = "Which action.", mandatory = True),
        "tool": attr.string(doc = "Its executable" + _FILE, mandatory = True),
        "flags": attr.string_list(
            doc = "Arguments that follow one another among the action's, where no model's golden test would " +
                  "notice that they are missing; `OUT/` stands for this package's output folder.",
        ),
        "inputs": attr.string_list(doc = "Every input but the tool" + _FILE, mandatory = True),
        "outputs": attr.string_list(doc = "Every output" + _FILE, mandatory = True),
    },
)

def action(target, mnemonic, tool, inputs, outputs, flags = []):
    """Returns a case of `action_tests`; see the attributes of the test."""
    return struct(
        target_under_test = ":" + target,
        mnemonic = mnemonic,
        tool = tool,
        inputs = inputs,
        outputs = outputs,
        flags = flags,
    )

def action_tests(cases):
    """Declares a test for each action, and returns their labels.

    Args:
      cases: what `action` returned, by the tests' names.
    """
    for name, case in cases.items():
        _action_test(
            name = name,
            size = "small",
            flags = case.flags,
            inputs = case.inputs,
            mnemonic = case.mnemonic,
            outputs = case.outputs,
            target_under_test = case.target_under_test,
            tool = case.tool,
        )
    return [":" + name for name in cases]

def _written_test_impl(ctx):
    env = analysistest.begin(ctx)
    written = {
        file.basename: action.content
        for action in analysistest.target_actions(env)
        if action.mnemonic == "FileWrite"
        for file in action.outputs.to_list()
    }
    asserts.equals(env, ctx.attr.lines, written.get(ctx.attr.file, "").splitlines())
    return analysistest.end(env)

written_test = analysistest.make(
    _written_test_impl,
    attrs = {
        "file": attr.string(doc = "A file that the target writes at analysis.", mandatory = True),
        "lines": attr.string_list(doc = "Every line of it.", mandatory = True),
    },
)
