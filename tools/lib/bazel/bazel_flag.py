"""The flag --bazel_flag of every program that builds with the user's own Bazel."""

from absl import flags

BAZEL_FLAG = flags.DEFINE_multi_string(
    "bazel_flag",
    [],
    "A flag for every build, such as --bazel_flag=--config=released; may be repeated.",
)
