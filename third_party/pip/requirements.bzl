"""The Python packages that programs import, each in a repository of its own, and their labels.

A repository for each, so that a new version of one changes only the actions that use it.
"""

load(":wheels.bzl", "python_site")

# What a package imports itself.
_IMPORTS = {
    "absl-py": [],
    "google-crc32c": [],
    "hypothesis": ["sortedcontainers"],
    "jinja2": ["markupsafe"],
    "markupsafe": [],
    "pillow": [],
    "pip": [],
    "rich": ["markdown-it-py", "mdurl", "pygments"],
    "tqdm": [],
}

def _repository(package):
    return "reproducible_tflite_pip_" + package.replace("-", "_")

def requirement(package):
    """Returns the label of a Python package, for the `deps` of a program.

    Args:
      package: its name in requirements.in.

    Returns:
      A string.
    """
    if package not in _IMPORTS:
        fail("{} is not in third_party/pip/requirements.bzl, only {}".format(package, ", ".join(_IMPORTS)))
    return "@{}//:site_library".format(_repository(package))

def pip_sites(declare):
    """Declares the packages' repositories.

    Args:
      declare: see `reproducible_tflite_repositories`.
    """
    for package, imports in _IMPORTS.items():
        declare(
            python_site,
            _repository(package),
            lock = Label("//third_party/pip:requirements.lock"),
            requirements = [package] + imports,
        )
