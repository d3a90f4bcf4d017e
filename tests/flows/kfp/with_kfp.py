"""Runs a test of flows/kfp with one of the environments that tests/run.sh keeps. `with_kfp.py newest|oldest TEST ARGUMENT...`

WEIR_KFP_PYTHON and WEIR_KFP_OLDEST_PYTHON name them. Without them the test fails: what did not run is not known to work.
"""

import os
import pathlib
import sys

VARIABLES = {"newest": "WEIR_KFP_PYTHON", "oldest": "WEIR_KFP_OLDEST_PYTHON"}


def main():
    variable = VARIABLES[sys.argv[1]]
    python = os.environ.get(variable)
    if not python:
        sys.exit(f"{variable} is not set: the Python that has the kfp SDK; tests/run.sh makes it")
    package = pathlib.Path(__file__).resolve().parents[3] / "flows" / "kfp"
    os.environ.update(PYTHONPATH=str(package), PYTHONDONTWRITEBYTECODE="1", PYTHONWARNINGS="ignore")
    for name in [name for name in os.environ if name.startswith("WEIR_") and not name.startswith("WEIR_KFP_")]:
        del os.environ[name]
    os.execv(python, [python, os.path.realpath(sys.argv[2]), *sys.argv[3:]])


if __name__ == "__main__":
    main()
