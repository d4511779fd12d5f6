"""Tamperings of a root: each says what has to be told of it, and what may be told because of it."""

import dataclasses
import glob
import hashlib
import os
import re
import shutil
import subprocess


@dataclasses.dataclass(eq=False)
class Done:
    what: str
    # One of these has to be told; any of those may be.
    tells: str
    covers: str
    # Of a file that a package brought, so it shows without anything to compare with.
    shipped: bool = False


def add(path, text, mode=0o644):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "a") as file:
        file.write(text)
    os.chmod(path, mode)


def file(path, what, more="", shipped=True):
    key = f"file/{re.escape(path)}"
    return Done(what, key, f"{key}|{more}" if more else key, shipped)


def content(root, name, path):
    add(f"{root}{path}", "evil\n", os.stat(f"{root}{path}").st_mode & 0o7777)


def package(name):
    """All that is told of a package whose files as a whole are not believed."""
    return f"(package|package_files)/{name}:.*|file/.*{name}.*|(unit|cron|sysctl|alternative|user|group).*{name}.*"


def info(root, name, end):
    return glob.glob(f"{root}/var/lib/dpkg/info/{name}.{end}")[0]


def k_content(root, name, n):
    path = f"/usr/lib/{name}/library.so"
    content(root, name, path)
    return file(path, "content changed")


def k_content_program(root, name, n):
    # A hard link: both names are changed.
    path = f"/usr/bin/{name}"
    content(root, name, path)
    return file(path, "program changed", f"file/{re.escape(path)}-again")


def k_hidden(root, name, n):
    path = f"/usr/lib/{name}/library.so"
    content(root, name, path)
    with open(f"{root}{path}", "rb") as opened:
        md5 = hashlib.md5(opened.read()).hexdigest()
    table = info(root, name, "md5sums")
    with open(table) as opened:
        lines = [f"{md5}  {path[1:]}\n" if line.endswith(f"  {path[1:]}\n") else line for line in opened]
    with open(table, "w") as opened:
        opened.writelines(lines)
    return Done("content and its sum changed", f"package_files/{name}:.*", package(name), True)


def k_mode(root, name, n):
    path = f"/usr/share/doc/{name}/copyright"
    os.chmod(f"{root}{path}", 0o666)
    return file(path, "mode changed")


def k_owner(root, name, n):
    path = f"/usr/share/doc/{name}/changelog"
    os.chown(f"{root}{path}", 1234, 1234)
    return file(path, "owner changed")


def k_setuid(root, name, n):
    path = f"/usr/bin/{name}-again"
    os.chmod(f"{root}{path}", 0o4755)
    return file(path, "setuid added", f"file//usr/bin/{name}")


def k_link(root, name, n):
    path = f"/usr/lib/{name}/library.so.2"
    os.remove(f"{root}{path}")
    os.symlink("/tmp/evil.so", f"{root}{path}")
    return file(path, "link turned")


def k_link_to_file(root, name, n):
    path = f"/usr/lib/{name}/library.so.2"
    os.remove(f"{root}{path}")
    add(f"{root}{path}", "evil\n")
    return file(path, "link replaced by a file")


def k_file_to_link(root, name, n):
    path = f"/usr/share/doc/{name}/copyright"
    os.remove(f"{root}{path}")
    os.symlink("/etc/shadow", f"{root}{path}")
    return file(path, "file replaced by a link")


def k_removed(root, name, n):
    path = f"/usr/share/doc/{name}/changelog"
    os.remove(f"{root}{path}")
    return file(path, "file removed")


def k_folder_mode(root, name, n):
    path = f"/usr/lib/{name}"
    os.chmod(f"{root}{path}", 0o777)
    return file(path, "folder opened to all")


def k_added(root, name, n):
    path = f"/usr/lib/{name}/evil-{n}.so"
    add(f"{root}{path}", "evil\n")
    return file(path, "file added to a package's folder", shipped=False)


def k_conffile(root, name, n):
    path = f"/etc/{name}/{name}.conf"
    content(root, name, path)
    return file(path, "configuration file edited", shipped=False)


def k_conffile_gone(root, name, n):
    path = f"/etc/{name}/{name}.conf"
    os.remove(f"{root}{path}")
    return file(path, "configuration file removed", shipped=False)


def k_script(root, name, n):
    add(info(root, name, "postinst"), "evil\n", 0o755)
    return Done("maintainer script changed", f"package_files/{name}:.*", package(name), True)


def k_capability(root, name, n):
    path = f"/usr/bin/{name}"
    value = bytes.fromhex("0100000200200000000000000000000000000000")
    os.setxattr(f"{root}{path}", "security.capability", value)
    return file(path, "capability added", f"file//usr/bin/{name}-again")


def k_unlisted(root, name, n):
    path = f"/usr/share/doc/{name}/copyright"
    table = info(root, name, "list")
    with open(table) as opened:
        lines = [line for line in opened if line != f"{path}\n"]
    with open(table, "w") as opened:
        opened.writelines(lines)
    content(root, name, path)
    return Done("file struck from the list and changed", f"file/{re.escape(path)}|package_files/{name}:.*", package(name), True)


def k_conffile_sum(root, name, n):
    """The edited file's sum is written into dpkg's status as if the package had brought it so."""
    path = f"/etc/{name}/{name}.conf"
    with open(f"{root}{path}", "rb") as opened:
        before = hashlib.md5(opened.read()).hexdigest()
    content(root, name, path)
    with open(f"{root}{path}", "rb") as opened:
        after = hashlib.md5(opened.read()).hexdigest()
    status = f"{root}/var/lib/dpkg/status"
    with open(status) as opened:
        text = opened.read().replace(f"{path} {before}", f"{path} {after}")
    with open(status, "w") as opened:
        opened.write(text)
    return Done("configuration file and its sum changed", f"package_files/{name}:.*", package(name), True)


def k_override(root, name, n):
    path = f"/usr/bin/{name}"
    os.chmod(f"{root}{path}", 0o4755)
    add(f"{root}/var/lib/dpkg/statoverride", f"root root 4755 {path}\n")
    return Done("override that raises a program", f"stat_override/{re.escape(path)}",
                f"stat_override/{re.escape(path)}|file/{re.escape(path)}(-again)?")


def k_diversion(root, name, n):
    path = f"/usr/share/doc/{name}/changelog"
    os.rename(f"{root}{path}", f"{root}{path}.orig")
    add(f"{root}{path}", "evil\n")
    add(f"{root}/var/lib/dpkg/diversions", f"{path}\n{path}.orig\n:\n")
    return Done("file diverted and another put in its place", f"file/{re.escape(path)}|diversion/{re.escape(path)}",
                f"(file|diversion)/{re.escape(path)}(\\.orig)?")


def k_excluded(root, name, n):
    path = f"/usr/share/doc/{name}/copyright"
    os.remove(f"{root}{path}")
    add(f"{root}/etc/dpkg/dpkg.cfg.d/{name}", f"path-exclude={path}\n")
    return Done("removed, and dpkg told that it was never there", f"file/{re.escape(f'/etc/dpkg/dpkg.cfg.d/{name}')}",
                f"file/(/etc/dpkg.*|{re.escape(path)})|apt_config/dpkg/.*")


def k_alternative(root, name, n):
    path = f"{root}/etc/alternatives/evil-{n}"
    os.symlink(f"/tmp/evil", path)
    add(f"{root}/var/lib/dpkg/alternatives/evil-{n}", f"manual\n/usr/bin/evil-{n}\n\n/tmp/evil\n1\n")
    return Done("alternative added", f"alternative/evil-{n}", f"alternative/evil-{n}")


def k_drop_in(root, name, n):
    unit = f"multi-user-{n}.service"
    path = f"/etc/systemd/system/{unit}.d/evil.conf"
    add(f"{root}{path}", "[Service]\nExecStartPre=/tmp/evil\n")
    return Done("drop-in added", f"file/{re.escape(path)}", f"file/{re.escape(os.path.dirname(path))}.*|unit/{re.escape(unit)}")


def k_unit(root, name, n):
    path = f"/etc/systemd/system/evil-{n}.service"
    add(f"{root}{path}", "[Service]\nExecStart=/tmp/evil\n[Install]\nWantedBy=multi-user.target\n")
    return Done("unit added", f"file/{re.escape(path)}|unit/evil-{n}.service", f"file/{re.escape(path)}|unit/evil-{n}.service")


def k_enabled(root, name, n):
    link = f"/etc/systemd/system/evil-{n}.target.wants/{name}.service"
    os.makedirs(os.path.dirname(f"{root}{link}"), exist_ok=True)
    os.symlink(f"/usr/bin/{name}", f"{root}{link}")
    return Done("link that enables what no package enables", f"file/{re.escape(link)}",
                f"file/{re.escape(os.path.dirname(link))}.*|unit/{name}.service")


def k_key(root, name, n):
    add(f"{root}/root/.ssh/authorized_keys", f"ssh-ed25519 {'A' * 60}{n:08} evil{n}\n", 0o600)
    return Done("key to log in with", "authorized_key/.*", "authorized_key/.*|secret/.*authorized_keys.*|file//root.*")


def k_cron(root, name, n):
    path = f"/etc/cron.d/evil-{n}"
    add(f"{root}{path}", "* * * * * root /tmp/evil\n")
    return Done("schedule added", f"file/{re.escape(path)}", f"(file|cron)/{re.escape(path)}.*")


def k_user(root, name, n):
    add(f"{root}/etc/passwd", f"evil{n}:x:0:0::/root:/bin/sh\n")
    return Done("second root", f"user/evil{n}", f"user/evil{n}")


def k_service_user(root, name, n):
    """Looks like the account of a service, but no package speaks of it."""
    add(f"{root}/etc/passwd", f"_evil{n}:x:{300 + n}:{300 + n}::/nonexistent:/usr/sbin/nologin\n")
    add(f"{root}/etc/shadow", f"_evil{n}:!:19000::::::\n", 0o640)
    return Done("account of no package", f"user/_evil{n}", f"user/_evil{n}")


def k_member(root, name, n):
    add(f"{root}/etc/group", f"evil{n}:x:{2000 + n}:root\n")
    return Done("group added", f"group/evil{n}", f"group/evil{n}")


def k_sudo(root, name, n):
    path = f"/etc/sudoers.d/evil-{n}"
    add(f"{root}{path}", f"evil{n} ALL=(ALL) NOPASSWD: ALL\n", 0o440)
    return Done("rule of sudo", f"file/{re.escape(path)}", f"file/{re.escape(path)}|sudo/.*|file//etc/sudoers.d")


def k_sysctl(root, name, n):
    path = f"/etc/sysctl.d/evil-{n}.conf"
    add(f"{root}{path}", f"kernel.evil{n} = 1\n")
    return Done("kernel value", f"file/{re.escape(path)}", f"file/{re.escape(path)}|sysctl/kernel.evil{n}")


def k_raised(root, name, n):
    path = f"/usr/local/bin/evil-{n}"
    add(f"{root}{path}", "evil\n", 0o4755)
    return Done("program with setuid", f"file/{re.escape(path)}", f"file/{re.escape(path)}")


def k_preload(root, name, n):
    path = f"/etc/ld.so.conf.d/evil-{n}.conf"
    add(f"{root}{path}", "/tmp\n")
    return Done("path of libraries", f"file/{re.escape(path)}", f"file/{re.escape(path)}")


def k_copy(root, name, n):
    """A file of a package, copied where it means something."""
    path = f"/etc/profile.d/evil-{n}.sh"
    os.makedirs(os.path.dirname(f"{root}{path}"), exist_ok=True)
    shutil.copy(f"{root}/usr/bin/{name}", f"{root}{path}")
    return Done("copy of a packaged file", f"file/{re.escape(path)}", f"file/{re.escape(path)}|shell/.*")


# Those that make a whole package unbelieved take one of their own, and only those with a table of sums.
OWN = [k_hidden, k_script, k_unlisted, k_conffile_sum]
# Of the others each takes a target of its own: kind and package.
KINDS = [
    k_content, k_content_program, k_mode, k_owner, k_setuid, k_link, k_link_to_file, k_file_to_link, k_removed,
    k_folder_mode, k_added, k_conffile, k_conffile_gone, k_capability, k_override, k_diversion, k_excluded,
    k_alternative, k_drop_in, k_unit, k_enabled, k_key, k_cron, k_user, k_service_user, k_member, k_sudo, k_sysctl,
    k_raised, k_preload, k_copy,
]
# Kinds that touch the same path exclude each other within a package.
TOUCH = {
    k_content: "library", k_content_program: "program", k_setuid: "program", k_capability: "program",
    k_override: "program", k_mode: "copyright", k_file_to_link: "copyright", k_excluded: "copyright",
    k_owner: "changelog", k_removed: "changelog", k_diversion: "changelog", k_link: "link", k_link_to_file: "link",
    k_conffile: "conffile", k_conffile_gone: "conffile",
}


def all(root, names, chance, count):
    done, touched = [], set()
    own = [name for name in names if int(name[3:]) % 8]
    chance.shuffle(own)
    shares = own[:max(len(OWN), min(len(own) // 3, count // 6))]
    for number, name in enumerate(shares[:count]):
        done.append(OWN[number % len(OWN)](root, name, number))
    others = [name for name in names if name not in shares]
    number = len(done)
    while len(done) < count:
        kind = KINDS[(number * 7 + number // len(KINDS)) % len(KINDS)]
        number += 1
        name = chance.choice(others)
        place = (name, TOUCH.get(kind, number))
        if place in touched:
            continue
        touched.add(place)
        done.append(kind(root, name, number))
    return done
