"""Code of our own that is compiled on the machine it runs on, once: into the cache, and loaded from there."""

from __future__ import annotations

import ctypes
import hashlib
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from functools import cache
from pathlib import Path

import torch

from midspec.cache import cache_root
from midspec.errors import StepError

FLAGS = (
    "-O3",
    "-march=native",
    "-mprefer-vector-width=512",
    "-fno-math-errno",
    "-fno-trapping-math",
    "-fno-signed-zeros",
    "-ffinite-math-only",
    "-fassociative-math",
    "-freciprocal-math",
    "-std=c++20",
    "-shared",
    "-fPIC",
    "-fopenmp",
)
"""Fast arithmetic is for loops that hold no infinities; masks are made by choosing, not by adding minus infinity.

Its parts are named one by one: GCC's `-ffast-math` would also link in start-up code that, on loading, makes the whole
process round numbers below 1e-38 to zero.
"""


def compiler() -> str | None:
    """The C++ compiler on the PATH, which torch.compile needs too; None without one."""
    return shutil.which("g++") or shutil.which("c++")


def headers() -> bool:
    """Whether Python's C headers are there, which torch.compile includes; systems package them apart."""
    return Path(sysconfig.get_paths()["include"], "Python.h").is_file()


def tiles() -> bool:
    """Whether this is Linux on a CPU with bfloat16 tile instructions (AMX), in a PyTorch that knows them."""
    known = getattr(torch.cpu, "_is_amx_tile_supported", None)
    return sys.platform == "linux" and known is not None and bool(known())


@cache
def library(source: Path) -> ctypes.CDLL:
    """`source` compiled against this PyTorch for this CPU, taken from the cache where it is there.

    Raises StepError, with what the compiler said, where it cannot be compiled.
    """
    from torch.utils.cpp_extension import include_paths, library_paths

    command = [
        compiler() or "g++",
        *FLAGS,
        *(f"-I{path}" for path in include_paths()),
        str(source),
        *(f"-L{path}" for path in library_paths()),
        "-ltorch_cpu",
        "-lc10",
    ]
    made_of = [source.read_text(encoding="utf-8"), torch.__version__, _instructions(), *command]
    key = hashlib.sha256("\n".join(made_of).encode()).hexdigest()[:16]
    path = cache_root() / "native" / f"{source.stem}-{key}.so"
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        # Into a file of its own first: another process may be doing the same.
        with tempfile.TemporaryDirectory(dir=path.parent) as place:
            made = Path(place) / path.name
            done = subprocess.run([*command, "-o", str(made)], capture_output=True, text=True, check=False)
            if done.returncode:
                raise StepError(
                    f"{source.name} cannot be compiled by {command[0]}: {_first_error(done.stderr)}; it needs GCC 11 "
                    "or newer, or set compute.kernels: plain"
                )
            made.replace(path)
    return ctypes.CDLL(str(path))


def _instructions() -> str:
    """What `-march=native` means here: a cache folder may be shared by different machines."""
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    return next((line for line in lines if line.startswith(("flags", "Features"))), "")


def _first_error(output: str) -> str:
    lines = [line for line in output.splitlines() if "error" in line] or output.splitlines() or ["no message"]
    return lines[0]
