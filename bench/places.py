"""Lay out the importable files as on Lambda: the runtime's packages, layers and functions.

Measured programs cannot import other packages of this virtual environment.
"""

import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

from local.stack_file import LOCAL, ROOT
from local.template import environment

HOME = LOCAL / "bench"
OPT = HOME / "opt" / "python"
"""Both layers, like `/opt/python` on Lambda."""

RUNTIME = (
    "boto3",
    "botocore",
    "dateutil",
    "jmespath",
    "s3transfer",
    "six.py",
    "urllib3",
    "snapshot_restore_py.py",
)
BARE = ("certifi", "charset_normalizer", "idna", "requests")
NAIVE = (
    *BARE,
    "annotated_types",
    "aws_lambda_powertools",
    "aws_xray_sdk",
    "phonenumbers",
    "pydantic",
    "pydantic_core",
    "typing_extensions.py",
    "typing_inspection",
    "wrapt",
)
PROGRAMS = Path(__file__).parent / "programs"


def prepare() -> None:
    """Build the layers by their makefiles, and link the baselines' packages."""
    shutil.rmtree(HOME, ignore_errors=True)
    OPT.mkdir(parents=True)
    # The PATH of `make build`, whose Python writes bytecode if it has Lambda's version.
    variables = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    for layer, target in (("dependencies", "DependenciesLayer"), ("core", "CoreLayer")):
        command = ["make", "--silent", "-C", str(ROOT / "layers" / layer), f"build-{target}"]
        made = {**variables, "ARTIFACTS_DIR": str(HOME / layer)}
        subprocess.run(command, env=made, check=True, capture_output=True)  # noqa: S603 - a command of our own
        shutil.copytree(HOME / layer / "python", OPT, dirs_exist_ok=True)
    for name, packages in (("runtime", RUNTIME), ("bare", BARE), ("naive", NAIVE)):
        _link(HOME / name, packages)


def source() -> Path:
    """A copy of the layers without bytecode."""
    made = HOME / "source"
    shutil.copytree(OPT, made, ignore=shutil.ignore_patterns("__pycache__"))
    return made


def _link(directory: Path, packages: tuple[str, ...]) -> None:
    directory.mkdir()
    for package in packages:
        (directory / package).symlink_to(Path(sysconfig.get_path("purelib")) / package)


def variables(endpoint: str, *, opt: Path = OPT, more: tuple[str, ...] = ()) -> dict[str, str]:
    """The environment variables of a measured program; AWS and the providers are at `endpoint`."""
    path = (ROOT / "functions", opt, *(HOME / name for name in more), HOME / "runtime", ROOT)
    return {
        **environment(),
        **aws(endpoint),
        "STAGE": "local",
        "PROVIDER_SANDBOX_URL": endpoint,
        "POWERTOOLS_METRICS_NAMESPACE": "SmsOtp",
        "PATH": os.defpath,
        "PYTHONPATH": os.pathsep.join(map(str, path)),
    }


def aws(endpoint: str) -> dict[str, str]:
    """The variables that Lambda sets, and the endpoint for AWS calls."""
    return {
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "bench",
        "AWS_SECRET_ACCESS_KEY": "bench",
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def zipped(layer: str) -> float:
    """The zipped size of a layer in MB."""
    archive = HOME / f"{layer}.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
        for path in sorted((HOME / layer).rglob("*")):
            packed.write(path, path.relative_to(HOME / layer))
    return archive.stat().st_size / 1e6
