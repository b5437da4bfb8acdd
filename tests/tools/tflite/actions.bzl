"""Helpers for tests of actions."""

load("@bazel_skylib//lib:unittest.bzl", "analysistest", "asserts")

_GENRULE_SETUP = "external/bazel_tools/tools/genrule/genrule-setup.sh"
_TOCO = "tools/tensorflow/toco"

def _bin_relative(path):
    """Returns the part of a path that does not depend on the configuration."""
    return path.partition("/bin/")[2] if path.startswith("bazel-out/") else path

def _with_mnemonic(env, mnemonic):
    """Returns the only action of the target under test with the mnemonic."""
    matching = [action for action in analysistest.target_actions(env) if action.mnemonic == mnemonic]
    asserts.equals(env, 1, len(matching), "actions with the mnemonic " + mnemonic)
    return matching[0]

def _in_package(env, path):
    """Returns a path without the bin directory and without this package, if they are in it."""
    return _bin_relative(path).removeprefix(env.ctx.label.package + "/")

def _check_inputs(env, action, tool, expected):
    """Compares an action's inputs; the tool itself, its main module and its runfiles are ignored."""
    inputs = [_in_package(env, file.path) for file in action.inputs.to_list() if "_middlemen" not in file.path]
    asserts.true(env, tool in inputs, "the tool is no input")
    main_modules = [tool + ".py", tool.rpartition("_")[0] + ".py"]
    asserts.equals(env, sorted(expected), sorted([path for path in inputs if path not in [tool] + main_modules]))

def _out(env):
    return "{}/{}/".format(analysistest.target_bin_dir_path(env), env.ctx.label.package)

def _joined(arguments):
    """Joins arguments with separators at both ends too, so that a part of an argument never matches a complete one."""
    return "\0".join([""] + arguments + [""])

def _action_test_impl(ctx):
    env = analysistest.begin(ctx)
    action = _with_mnemonic(env, ctx.attr.mnemonic)
    argv = [argument.replace(_out(env), "OUT/") for argument in action.argv]
    asserts.equals(env, ctx.attr.tool, _in_package(env, action.argv[0]))
    asserts.true(
        env,
        _joined(ctx.attr.flags) in _joined(argv[1:]),
        "{} does not stand among the arguments {}".format(ctx.attr.flags, argv[1:]),
    )
    asserts.equals(env, {}, action.env)
    outputs = [_in_package(env, file.path) for file in action.outputs.to_list()]
    asserts.equals(env, sorted(ctx.attr.outputs), sorted(outputs), "outputs")
    _check_inputs(env, action, ctx.attr.tool, ctx.attr.inputs)
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

def _toco_test_impl(ctx):
    env = analysistest.begin(ctx)
    action = _with_mnemonic(env, "Genrule")
    asserts.equals(env, ["/bin/bash", "-c"], action.argv[:2])
    setup, _, command = action.argv[2].partition("; ")
    asserts.equals(env, "source " + _GENRULE_SETUP, setup)
    program, _, flags = command.replace(_out(env), "OUT/").partition(" ")
    asserts.equals(env, _TOCO, _bin_relative(program), "the toolchain's TOCO")
    asserts.equals(env, " ".join(ctx.attr.flags), flags)
    _check_inputs(env, action, _TOCO, ctx.attr.inputs + [_GENRULE_SETUP])
    return analysistest.end(env)

toco_test = analysistest.make(
    _toco_test_impl,
    attrs = {
        "flags": attr.string_list(doc = "Every flag, as in `action`.", mandatory = True),
        "inputs": attr.string_list(doc = "Every input but the tool" + _FILE, mandatory = True),
    },
)

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
