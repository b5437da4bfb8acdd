"""The external repositories for MODULE.bazel."""

load(":repositories.bzl", "reproducible_tflite_repositories")

def _repositories_impl(_module_ctx):
    reproducible_tflite_repositories(shared = False)

repositories = module_extension(
    implementation = _repositories_impl,
    doc = "Declares what `reproducible_tflite_repositories` declares in a WORKSPACE file, but what is a `bazel_dep`.",
)
