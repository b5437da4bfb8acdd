"""What a lock may look like, and what stops a fetch."""

load("@bazel_skylib//lib:unittest.bzl", "asserts", "unittest")
load("//tests/tools/tflite:refusals.bzl", "refusal_tests")
load("//third_party/pip:wheels.bzl", "parse_lock")

_LOCK = """\
# Written by: a program
absl-py==2.5.1 \\
    --hash=sha256:11
    # file: absl_py-2.5.1-py3-none-any.whl

# The last one.
some-model==2.5.0.post2 \\
    --hash=sha256:22
    # file: some_model-2.5.0.post2.tar.gz
"""

def _rows_test_impl(ctx):
    env = unittest.begin(ctx)
    asserts.equals(env, [
        struct(requirement = "absl-py==2.5.1", sha256 = "11", file = "absl_py-2.5.1-py3-none-any.whl"),
        struct(requirement = "some-model==2.5.0.post2", sha256 = "22", file = "some_model-2.5.0.post2.tar.gz"),
    ], parse_lock(_LOCK))
    asserts.equals(env, parse_lock(_LOCK), parse_lock(_LOCK.replace("\n", "\r\n")))
    asserts.equals(env, [], parse_lock("# nothing\n"))
    return unittest.end(env)

rows_test = unittest.make(_rows_test_impl)

# fail() cannot be caught, but the analysis of a target may fail under test.
def _parsed_lock_impl(ctx):
    parse_lock(ctx.attr.content)
    return []

_parsed_lock = rule(
    implementation = _parsed_lock_impl,
    attrs = {"content": attr.string(doc = "A lock.", mandatory = True)},
)

# name: (what is wrong with the lock, what takes its place, the line that is out of place)
_BROKEN = {
    "file_without_a_digest": ("    --hash=sha256:11\n", "", "# file: absl_py-2.5.1-py3-none-any.whl"),
    "file_without_a_requirement": ("absl-py==2.5.1 \\\n", "", "# file: absl_py-2.5.1-py3-none-any.whl"),
    "file_twice": (
        "# file: some_model-2.5.0.post2.tar.gz\n",
        "# file: a.whl\n# file: b.whl\n",
        "# file: b.whl",
    ),
    "row_without_a_file": ("    # file: absl_py-2.5.1-py3-none-any.whl\n", "", "some-model==2.5.0.post2"),
    "last_row_without_a_file": (
        "    # file: some_model-2.5.0.post2.tar.gz\n",
        "",
        "some-model==2.5.0.post2",
    ),
}

def parse_lock_test_suite(name):
    """Declares the tests of `parse_lock`.

    Args:
      name: the test suite's name.
    """
    rows_test(name = "lock_rows_test", size = "small")
    refusals = {}
    for case, (old, new, line) in _BROKEN.items():
        _parsed_lock(
            name = "lock_" + case,
            content = _LOCK.replace(old, new),
            tags = ["manual"],
        )
        message = "a lock's line is out of place, re-lock with: bazel run //third_party:relock: "
        refusals["lock_" + case] = [message + line]
    refusal_tests(name + "_refusals", refusals, [])
    native.test_suite(name = name, tests = [":lock_rows_test", ":{}_refusals".format(name)])
