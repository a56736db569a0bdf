"""`midspec --help` and `midspec plan` must not wait for torch: a slow help is the first thing a newcomer meets."""

import subprocess
import sys

import pytest

HEAVY = ("torch", "transformers", "inspect_ai", "ray", "peft", "datasets", "statsmodels", "matplotlib", "scipy")


@pytest.mark.parametrize(
    "code",
    [
        "import midspec",
        "import runpy, sys; sys.argv = ['midspec', '--help']\n"
        "try: runpy.run_module('midspec', run_name='__main__')\nexcept SystemExit: pass",
        "import midspec.pipeline, midspec.cli.recipe, midspec.cli.plan_text, midspec.cli.data, midspec.cli.look\n"
        "import midspec.cli.spec, midspec.cli.serve, midspec.cli.plan, midspec.trace",
        "from midspec.recipe import load_recipe; from midspec.pipeline import build;"
        "build(load_recipe('recipes/quickstart.yaml', profile='smoke').with_controls())",
    ],
    ids=["import", "help", "commands", "plan"],
)
def test_no_heavy_import(code: str) -> None:
    script = f"{code}\nimport sys; print('\\nheavy:', sorted(set({HEAVY!r}) & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip().endswith("heavy: []"), done.stdout[-300:]
