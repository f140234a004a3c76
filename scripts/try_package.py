"""Installs a package into a Debian root made for it, runs a cabinet's main story with the lockerd in there, removes and
purges it again. Called by scripts/package --try: as root, another architecture by qemu-user."""
import pathlib
import subprocess
import sys
import tempfile

from cabinet_kit import Stand

KEPT = ["var/lib/lockerd/ledger", "etc/cloud-locker/lockerd.toml"]  # stand for state and configuration


class Root:
    """A Debian system in a folder, with the machine's /dev and a /proc of its own."""

    def __init__(self, folder, shared):
        self.folder, self.mounts = pathlib.Path(folder), []
        self.mount("--bind", "/dev", "dev")
        self.mount("--bind", "/dev/pts", "dev/pts")
        self.mount("-t", "proc", "proc", "proc")
        self.mount("--bind", shared, str(shared).lstrip("/"))

    def mount(self, *what):
        target = self.folder / what[-1]
        target.mkdir(parents=True, exist_ok=True)
        subprocess.run(["mount", *[str(w) for w in what[:-1]], target], check=True)
        self.mounts.append(target)

    def run(self, *args, check=True):
        done = subprocess.run(["chroot", self.folder, *[str(a) for a in args]], capture_output=True, text=True,
                              env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8"})
        if check and done.returncode != 0:
            raise SystemExit(f"try: {args}: {done.returncode}\n{done.stdout}{done.stderr}")
        return done

    def close(self):
        for target in reversed(self.mounts):
            subprocess.run(["umount", "--lazy", target], check=False)


def story(root, folder):
    with Stand(folder=folder / "cabinet", wrapper=["chroot", root.folder], lockerd="/usr/bin/lockerd") as s:
        print("try:", root.run("/usr/bin/lockerd", "--check-config", s.config).stdout.strip().split("/")[-1])
        n = s.put_in("papers", "intake")
        s.mqtt.command("confirm", {"deposit": "papers"})
        assert s.open("collect", deposit="papers")["ok"]
        assert s.take_out("papers", n) == "papers"
        n = s.put_in("back", "return")
        s.mqtt.command("confirm", {"deposit": "back"})
        code = s.code("back")
        opened = root.run("/usr/bin/lockerctl", "--socket", s.socket, "enter", code)
        assert str(n) in opened.stdout, opened.stdout
        assert s.take_out("back", n) == "papers"
        verified = root.run("/usr/bin/lockerctl", "--socket", s.socket, "log", "verify")
        print("try: papers in, to staff, back, and out again by a code;", verified.stdout.strip())
        status = pathlib.Path(f"/proc/{s.daemon.popen.pid}/status").read_text()
        memory = {line.split(":")[0]: line.split(":")[1].strip() for line in status.splitlines() if line.startswith(("VmRSS", "RssAnon"))}
        print(f"try: resident memory of lockerd, idle, 12 doors: {memory} (under qemu-user its own is in it)")
        assert s.daemon.end() == 0


def main():
    root_folder, packages = pathlib.Path(sys.argv[1]).resolve(), [pathlib.Path(p).resolve() for p in sys.argv[2:]]
    with tempfile.TemporaryDirectory(prefix="cloud-locker-try-") as shared:
        root = Root(root_folder, shared)
        try:
            before = set(root.run("find", "/etc", "/usr", "/var/lib", "-xdev", "-name", "*locker*").stdout.split())
            for package in packages:
                (pathlib.Path(shared) / package.name).write_bytes(package.read_bytes())
            root.run("apt-get", "update", "-qq")
            root.run("apt-get", "install", "-y", "-qq", "--no-install-recommends", *[f"{shared}/{p.name}" for p in packages])
            print("try: installed", ", ".join(p.name for p in packages), "on", root.run("dpkg", "--print-architecture").stdout.strip())
            story(root, pathlib.Path(shared))
            for name in KEPT:
                file = root_folder / name
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text("kept")
            names = [p.name.split("_")[0] for p in packages]
            root.run("apt-get", "remove", "-y", "-qq", *names)
            assert all((root_folder / name).exists() for name in KEPT), "removal took state or configuration"
            root.run("dpkg", "--purge", "cloud-locker")
            left = set(root.run("find", "/etc", "/usr", "/var/lib", "-xdev", "-name", "*locker*").stdout.split()) - before
            left = {p for p in left if not p.startswith("/usr/share/doc/lib")}
            assert not left and root.run("id", "lockerd", check=False).returncode != 0, f"purge left {sorted(left)}"
            print("try: removal kept state and configuration, purge left nothing")
        finally:
            root.close()


main()
