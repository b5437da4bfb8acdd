"""Files that pip_parse leaves out of its packages."""

# Four out of five of numpy's files; each would be a link to stage for every action and test that uses numpy.
NUMPY_DEVELOPMENT_FILES = [
    "site-packages/numpy/**/*.pxd",
    "site-packages/numpy/**/*.pyi",
    "site-packages/numpy/**/include/**",
    "site-packages/numpy/**/tests/**",
    "site-packages/numpy/distutils/**",
    "site-packages/numpy/f2py/**",
]
