"""What `make deploy` refuses before it asks anything."""

import subprocess

from local.template import ROOT


def test_an_environment_that_samconfig_does_not_know_is_not_built() -> None:
    # The tools are taken for installed, whatever the age of their lists.
    command = ["make", "--no-print-directory", "-o", ".venv/.run", "build", "ENV=typo"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)  # noqa: S603 - a command of our own
    assert done.returncode != 0
    assert done.stdout == "samconfig.toml has no ENV=typo\n"
