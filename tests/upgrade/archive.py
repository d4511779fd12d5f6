"""A signed archive of packages in two versions, and a root to install them in."""

import gzip
import hashlib
import os
import shutil
import subprocess

PROGRAMS = ["sh", "ln", "rm", "mkdir", "chmod", "update-alternatives", "useradd", "groupadd"]


def run(*command, **more):
    more = {"check": True, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **more}
    done = subprocess.run([str(part) for part in command], text=True, **{**more, "check": False})
    if more["check"] and done.returncode:
        raise SystemExit(f"{command[0]} failed: {done.stdout}{done.stderr}")
    return done


def put(path, text, mode=0o644):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as file:
        file.write(text)
    os.chmod(path, mode)


def tree(folder, name, version):
    """The files of one version of a package; every path bears its name."""
    number = int(name[3:])
    at = lambda path: f"{folder}/{path}"
    put(at(f"usr/bin/{name}"), f"#!/bin/sh\necho {name} {version}\n", 0o755)
    put(at(f"usr/lib/{name}/library.so"), f"{name} {version}\n" * 50)
    put(at(f"usr/share/doc/{name}/copyright"), f"{name}\n")
    put(at(f"usr/share/doc/{name}/changelog"), f"{name} ({version})\n")
    put(at(f"etc/{name}/{name}.conf"), f"# {name} {version}\nlevel = {version}\n")
    conffiles = [f"/etc/{name}/{name}.conf"]
    os.symlink("library.so", at(f"usr/lib/{name}/library.so.{version}"))
    os.link(at(f"usr/bin/{name}"), at(f"usr/bin/{name}-again"))
    script = ["#!/bin/sh", "set -e"]
    if version == "2":
        put(at(f"usr/share/{name}/only-in-the-second-version"), "x\n")
    else:
        put(at(f"usr/share/{name}/only-in-the-first-version"), "x\n")
    if number % 3 == 0:
        put(at(f"usr/lib/systemd/system/{name}.service"),
            f"[Unit]\nDescription={name}\n[Service]\nExecStart=/usr/bin/{name} {version}\n"
            "[Install]\nWantedBy=multi-user.target\n")
        wants = "/etc/systemd/system/multi-user.target.wants"
        script += [f"mkdir -p {wants}", f"ln -sf /usr/lib/systemd/system/{name}.service {wants}/{name}.service"]
    if number % 4 == 0:
        put(at(f"etc/cron.d/{name}"), f"{number % 60} {version} * * * root /usr/bin/{name}\n")
        conffiles.append(f"/etc/cron.d/{name}")
    if number % 4 == 1:
        put(at(f"usr/lib/sysctl.d/50-{name}.conf"), f"kernel.{name} = {version}\n")
    if number % 5 == 0:
        put(at(f"usr/bin/{name}-raised"), f"#!/bin/sh\n# {version}\n", 0o4755)
    if number % 5 == 1:
        link = f"/usr/bin/tool-{name}"
        script.append(f"update-alternatives --quiet --install {link} tool-{name} /usr/bin/{name} {version}0")
    if number % 6 == 2 and version == "2":
        user = f"_{name}"
        script.append(f"useradd --system --home-dir /nonexistent --shell /usr/sbin/nologin {user}")
    if number % 7 == 3:
        put(at(f"usr/share/{name}/" + "long-" * 20 + "/" + "n" * 120), f"{version}\n")
    put(at("DEBIAN/conffiles"), "".join(f"{path}\n" for path in conffiles))
    put(at("DEBIAN/control"),
        f"Package: {name}\nVersion: {version}\nArchitecture: {'all' if number % 2 else 'amd64'}\n"
        f"Maintainer: X <x@example.jp>\nDescription: {name}\n")
    put(at("DEBIAN/postinst"), "\n".join(script) + "\n", 0o755)
    sums = []
    for place, _, files in sorted(os.walk(folder)):
        for file in sorted(files):
            path = f"{place}/{file}"
            inside = os.path.relpath(path, folder)
            if not os.path.islink(path) and not inside.startswith(("DEBIAN/", "etc/")):
                with open(path, "rb") as opened:
                    sums.append(f"{hashlib.md5(opened.read()).hexdigest()}  {inside}\n")
    # Some leave it to dpkg to make sums.
    if number % 8:
        put(at("DEBIAN/md5sums"), "".join(sums))


def build(work, names):
    """Archive at `work/archive` with keys beside it; gives the files of each version."""
    archive = f"{work}/archive"
    os.makedirs(f"{archive}/pool")
    packages, files = [], {"1": [], "2": []}
    for version in files:
        for number, name in enumerate(names):
            folder = f"{work}/tree"
            tree(folder, name, version)
            path = f"{archive}/pool/{name}_{version}.deb"
            packed = ["-Zxz", "-Zgzip", "-Zzstd", "-Znone"][number % 4]
            run("dpkg-deb", "--root-owner-group", packed, "--build", folder, path)
            shutil.rmtree(folder)
            with open(path, "rb") as opened:
                content = opened.read()
            control = run("dpkg-deb", "--field", path).stdout
            packages.append(f"{control}Filename: pool/{name}_{version}.deb\nSize: {len(content)}\n"
                            f"SHA256: {hashlib.sha256(content).hexdigest()}\n\n")
            files[version].append(path)
    suite = f"{archive}/dists/stable"
    index = gzip.compress("".join(packages).encode(), mtime=0)
    os.makedirs(f"{suite}/main/binary-amd64")
    with open(f"{suite}/main/binary-amd64/Packages.gz", "wb") as file:
        file.write(index)
    date = run("date", "-Ru").stdout.strip()
    put(f"{suite}/Release", f"Origin: Sample\nSuite: stable\nDate: {date}\nSHA256:\n"
        f" {hashlib.sha256(index).hexdigest()} {len(index)} main/binary-amd64/Packages.gz\n")
    os.makedirs(f"{work}/gnupg", mode=0o700)
    os.environ["GNUPGHOME"] = f"{work}/gnupg"
    gpg = ["gpg", "--batch", "--quiet", "--pinentry-mode", "loopback", "--passphrase", ""]
    for name in ["archive", "other"]:
        run(*gpg, "--quick-gen-key", f"{name}@example.jp", "ed25519", "sign", "never")
        run(*gpg, "--output", f"{work}/{name}.gpg", "--export", f"{name}@example.jp")
    run(*gpg, "--local-user", "archive@example.jp", "--clearsign", "--output", f"{suite}/InRelease", f"{suite}/Release")
    return files


def root(place):
    """A root in which dpkg can run the scripts of packages: a shell, some tools, what they are linked to."""
    for top in ["bin", "sbin", "lib", "lib64"]:
        os.makedirs(f"{place}/usr/{top}")
        os.symlink(f"usr/{top}", f"{place}/{top}")
    for folder in ["etc/alternatives", "var/lib/dpkg/info", "var/lib/dpkg/updates",
                   "var/lib/dpkg/alternatives", "var/log", "tmp", "root", "dev", "proc", "etc/profile.d",
                   "etc/sudoers.d", "etc/sysctl.d", "etc/ld.so.conf.d", "etc/cron.d", "etc/dpkg/dpkg.cfg.d",
                   "etc/systemd/system", "usr/local/bin"]:
        os.makedirs(f"{place}/{folder}")
    for program in PROGRAMS:
        path = os.path.realpath(shutil.which(program, path="/usr/bin:/usr/sbin:/bin:/sbin"))
        target = f"{place}/usr/bin/{program}"
        shutil.copy(path, target)
        for line in run("ldd", path, check=False).stdout.splitlines():
            for word in line.split():
                if word.startswith("/"):
                    copy = place + "/usr" + word.removeprefix("/usr")
                    os.makedirs(os.path.dirname(copy), exist_ok=True)
                    shutil.copy(os.path.realpath(word), copy)
    put(f"{place}/etc/passwd", "root:x:0:0:root:/root:/bin/sh\n")
    put(f"{place}/etc/group", "root:x:0:\nsudo:x:27:\nshadow:x:42:\n")
    put(f"{place}/etc/shadow", "root:*:19000:0:99999:7:::\n", 0o640)
    put(f"{place}/etc/gshadow", "root:*::\nsudo:*::\n", 0o640)
    for table in ["passwd", "group", "shadow", "gshadow"]:
        shutil.copy(f"{place}/etc/{table}", f"{place}/etc/{table}-")
    put(f"{place}/etc/login.defs", "SYS_UID_MIN 100\nSYS_UID_MAX 999\nSYS_GID_MIN 100\nSYS_GID_MAX 999\n"
        "UID_MIN 1000\nUID_MAX 60000\nGID_MIN 1000\nGID_MAX 60000\nUSERGROUPS_ENAB yes\nCREATE_MAIL_SPOOL no\n")
    put(f"{place}/etc/nsswitch.conf", "passwd: files\ngroup: files\nshadow: files\n")
    put(f"{place}/usr/lib/os-release", 'ID=debian\nVERSION_ID="13"\nVERSION_CODENAME=trixie\n')
    for file in ["status", "available", "diversions", "statoverride"]:
        put(f"{place}/var/lib/dpkg/{file}", "")
    put(f"{place}/var/lib/dpkg/arch", "amd64\n")


def install(place, files):
    run("dpkg", f"--root={place}", "--force-not-root,bad-path,confold,depends", "--log=/dev/null", "--install",
        *files, env={**os.environ, "DEBIAN_FRONTEND": "noninteractive", "PATH": "/usr/bin:/usr/sbin:/bin:/sbin"})
