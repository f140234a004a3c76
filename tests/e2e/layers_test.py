"""scripts/check sees a breach of the layers: proved by making some."""
import pathlib
import shutil
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent


def layers(root):
    return subprocess.run(["/usr/bin/python3", ROOT / "scripts" / "layers", root], capture_output=True, text=True)


def test_the_tree_is_clean():
    done = layers(ROOT)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("file,line,says", [
    ("daemon/core/cabinet.cpp", "#include <boost/asio.hpp>", "<boost/asio.hpp>"),
    ("daemon/core/cabinet.cpp", '#include "hal/store/sqlite_store.hpp"', "hal/store"),
    ("daemon/core/work.cpp", "auto t = std::chrono::system_clock::now();", "system_clock"),
    ("daemon/core/work.cpp", "using c = std::chrono::steady_clock;", "steady_clock"),
    ("daemon/core/work.cpp", "#include <thread>", "<thread>"),
    ("daemon/core/work.cpp", "std::time(&t);", "time(&t)"),
    ("daemon/core/work.cpp", "auto t = time(nullptr);", "time(nullptr)"),
    ("protocol/grant.cpp", "std::random_device r;", "random_device"),
    ("protocol/grant.cpp", '#include "daemon/core/state.hpp"', "daemon/core"),
    ("hal/sim/board.cpp", '#include "protocol/code.hpp"', "protocol/code.hpp"),
    ("portal/server/domain/cases.cpp", '#include "portal/server/app.hpp"', "portal/server/app.hpp"),
    ("portal/server/domain/cases.cpp", "auto t = std::chrono::system_clock::now();", "system_clock"),
    ("portal/server/api_work.cpp", "co_await a.off_thread([word] { return word; });", "co_await"),
    ("hal/line/governor.cpp", '#include "daemon/core/state.hpp"', "daemon/core"),
])
def test_a_breach_is_found(tmp_path, file, line, says):
    for folder in ("protocol", "hal", "daemon", "portal/server"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    path = tmp_path / file
    path.write_text(path.read_text() + line + "\n")
    done = layers(tmp_path)
    assert done.returncode == 1
    assert says in done.stdout and file in done.stdout


def test_check_fails_on_a_breach(tmp_path):
    """The whole of scripts/check, in a copy of the tree."""
    copy = tmp_path / "tree"
    shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns("build", ".git"))
    subprocess.run(["git", "init", "-q"], cwd=copy, check=True)
    (copy / "daemon" / "core" / "breach.cpp").write_text("#include <boost/asio.hpp>\n")
    done = subprocess.run([copy / "scripts" / "check", "--fast"], capture_output=True, text=True)
    assert done.returncode != 0
    assert "daemon/core/breach.cpp:1" in done.stdout
