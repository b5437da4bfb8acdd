"""The command line of OpenSSF's model-signing, as the package has it."""

import runpy

runpy.run_module("model_signing", run_name="__main__")
