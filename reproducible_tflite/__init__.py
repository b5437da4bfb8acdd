"""The root of the project's Python packages: `reproducible_tflite.lib` is the folder tools/lib.

Other repositories have a folder `tools` of their own, and a program may import from both.
"""

import os

__path__ = [os.path.join(os.path.dirname(os.path.dirname(__file__)), "tools")]
