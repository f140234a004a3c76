"""Small C libraries that are loaded under lockerd and bend one thing of its world."""
import os
import pathlib
import re
import subprocess

from cabinet_kit import BIN


def preload(source, folder):
    """Builds `source` of this folder into `folder`; gives the environment that loads it."""
    library = pathlib.Path(folder) / (pathlib.Path(source).stem + ".so")
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", library, pathlib.Path(__file__).with_name(source), "-ldl"], check=True)
    # A sanitizer's runtime wants to be the first of all libraries.
    needed = subprocess.run(["ldd", BIN / "lockerd"], capture_output=True, text=True, check=True).stdout
    first = re.findall(r"lib[at]san\.so\S* => (\S+)", needed)
    return {"LD_PRELOAD": os.pathsep.join([*first, str(library)])}
