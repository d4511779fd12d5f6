#!/usr/bin/env python3
"""Changes a Debian root as administrators and accidents do: mutate.py ROOT SEED COUNT

Prints one line per change. The same seed on the same root makes the same changes. The root must be a
folder that nobody runs; everything happens below it by chroot.
"""

import os
import random
import subprocess
import sys

ROOT, SEED, COUNT = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
if os.path.realpath(ROOT) == "/":
    sys.exit("mutate.py: not on the running system")
rng = random.Random(SEED)


def run(*command, data=None):
    done = subprocess.run(["chroot", ROOT, *command], input=data, text=True, capture_output=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip()}")
    return done.stdout


def at(path):
    return ROOT + path


def write(path, text, mode=0o644):
    os.makedirs(os.path.dirname(at(path)), exist_ok=True)
    with open(at(path), "w") as file:
        file.write(text)
    os.chmod(at(path), mode)


def word():
    return "".join(rng.choice("abcdefghijkmnopqrstuvwxyz") for _ in range(7))


def users(least=1000):
    found = []
    with open(at("/etc/passwd")) as file:
        for line in file:
            fields = line.split(":")
            if int(fields[2]) >= least and fields[0] != "nobody":
                found.append(fields[0])
    return found


def some_user():
    return rng.choice(users() or [account()])


def account():
    name = word()
    options = [["-m"], ["-M", "-s", "/usr/sbin/nologin"], ["-r"], ["-M", "-g", "users"]]
    run("useradd", *rng.choice(options), "-c", f"{name} 係,room {rng.randrange(99)}", name)
    return name


def ageing():
    name = some_user()
    run("chage", "-d", str(rng.randrange(18000, 20000)), "-M", str(rng.choice([30, 60, 90, 99999])), "-m", str(rng.randrange(5)),
        "-W", str(rng.randrange(1, 20)), "-I", str(rng.choice([-1, 7, 30])), "-E", str(rng.choice([-1, 21000, 20500])), name)
    return name


def secret():
    name = some_user()
    scheme = rng.choice(["$6$abcdefgh$" + "K" * 86, "$y$j9T$abcdefghijklmnopqrstuv$" + "Z" * 43, "$5$abcdefgh$" + "Q" * 43])
    run("usermod", "-p", rng.choice(["", "!"]) + scheme.replace("abcdefgh", word() + "x"), name)
    return name


def lock():
    name = some_user()
    run("usermod", "-p", rng.choice(["*", "!", "!*", ""]), name)
    return name


def member():
    group = rng.choice(["sudo", "adm", "games", "users", "audio"])
    name = some_user()
    run("gpasswd", "-a", name, group)
    if rng.random() < 0.3:
        run("gpasswd", "-A", name, group)
    return f"{name} in {group}"


def group():
    name = word()
    run("groupadd", "-g", str(rng.randrange(2000, 9000)), name)
    return name


def account_gone():
    name = rng.choice(["games", "news", "uucp", "irc", "list"])
    if subprocess.run(["chroot", ROOT, "userdel", "-f", name], capture_output=True).returncode:
        return f"{name} was gone"
    return name


def shell():
    name = rng.choice(users(0))
    run("usermod", "-s", rng.choice(["/bin/sh", "/usr/sbin/nologin", "/bin/dash"]), name) if name != "root" else None
    return name


def packaged(folder="/usr/bin"):
    names = sorted(n for n in os.listdir(at(folder)) if os.path.isfile(at(f"{folder}/{n}")) and not os.path.islink(at(f"{folder}/{n}")))
    keep = {"dash", "bash", "dpkg", "env", "cat", "chmod", "chown", "rm", "mv", "ln", "cp", "sed", "grep", "stat", "install", "sort", "mktemp",
            "mkdir", "cmp", "cut", "tr", "paste", "awk", "mawk", "chage", "gpasswd", "debconf-communicate", "readlink", "dirname", "ls", "test", "chattr", "lsattr", "getent"}
    return f"{folder}/" + rng.choice([n for n in names if n not in keep and not n.startswith(("python", "perl", "dpkg", "apt", "update-alt", "getfacl", "setfacl", "lsattr", "chattr", "deb-systemd", "invoke"))])


def mode():
    path = packaged(rng.choice(["/usr/bin", "/usr/sbin"])) if rng.random() < 0.4 else rng.choice(["/etc/sudoers", "/etc/crontab", "/etc/login.defs", "/etc/cron.d", "/etc/ssh/sshd_config", "/etc/issue"])
    if not os.path.exists(at(path)):
        return f"{path} was gone"
    os.chmod(at(path), rng.choice([0o755, 0o700, 0o4755, 0o600, 0o644, 0o750, 0o2755]) if not os.path.isdir(at(path)) else rng.choice([0o700, 0o1777, 0o2755]))
    return path


def owner():
    path = packaged()
    run("chown", f"{rng.choice(users(0))}:{rng.choice(['adm', 'staff', 'users'])}", path)
    return path


def capability():
    path = packaged()
    run("/usr/sbin/setcap", rng.choice(["cap_net_raw=ep", "cap_net_bind_service,cap_chown+ep", "cap_sys_ptrace=p"]), path)
    return path


def deletion():
    paths = ["/etc/issue.net", "/etc/motd", "/etc/cron.d/e2scrub_all", "/etc/cron.daily/dpkg", "/etc/cron.daily/apt-compat", "/etc/logrotate.d/apt",
             "/etc/update-motd.d/10-uname", "/etc/pam.d/chfn", "/usr/share/doc/bash/README.gz", "/etc/rmt", "/etc/debian_version"]
    path = rng.choice(paths + [packaged()])
    if os.path.lexists(at(path)):
        os.remove(at(path))
    return path


def hold():
    name = rng.choice(run("dpkg-query", "-W", "-f", "${Package}\n").split())
    run("dpkg", "--set-selections", data=f"{name} {rng.choice(['hold', 'hold', 'deinstall'])}\n")
    return name


def mark():
    name = rng.choice(["libacl1", "nano", "zlib1g", "sudo", "cron"])
    run("apt-mark", rng.choice(["auto", "manual"]), name)
    return name


def override():
    path = packaged()
    user, group_, bits = rng.choice(["root", "daemon"]), rng.choice(["adm", "staff"]), rng.choice(["0750", "4750", "0711"])
    subprocess.run(["chroot", ROOT, "dpkg-statoverride", "--remove", path], capture_output=True)
    run("dpkg-statoverride", "--update", "--add", user, group_, bits, path)
    return path


def diversion():
    path = packaged()
    run("dpkg-divert", "--local", "--no-rename", "--divert", f"{path}.distrib", "--add", path)
    return path


def alternative():
    name, choice = rng.choice([("editor", "/bin/nano"), ("pager", "/bin/more"), ("rmt", "/usr/sbin/rmt-tar"), ("awk", "/usr/bin/mawk")])
    if subprocess.run(["chroot", ROOT, "update-alternatives", "--set", name, choice], capture_output=True).returncode:
        return f"{name}: none"
    return name


def unit():
    name = rng.choice(["cron.service", "ssh.service", "fstrim.timer", "e2scrub_all.timer", "apt-daily.timer", "logrotate.timer", "systemd-timesyncd.service"])
    verb = rng.choice(["mask", "disable", "enable", "unmask", "drop", "own"])
    if verb == "drop":
        write(f"/etc/systemd/system/{name}.d/{word()}.conf", "[Unit]\nDescription=%s\n" % word())
    elif verb == "own":
        mine = f"{word()}.service"
        write(f"/etc/systemd/system/{mine}", "[Unit]\nDescription=x\n[Service]\nExecStart=/bin/true\n[Install]\nWantedBy=multi-user.target\n")
        run("systemctl", "enable", mine)
    else:
        subprocess.run(["chroot", ROOT, "systemctl", verb, name], capture_output=True)
    return f"{verb} {name}"


def link():
    path, target = rng.choice([("/etc/localtime", "/usr/share/zoneinfo/Asia/Tokyo"), (f"/etc/{word()}", "/dev/null"), (f"/usr/local/bin/{word()}", "/usr/bin/env"), (f"/etc/alternatives-{word()}", "../usr")])
    if os.path.lexists(at(path)):
        os.remove(at(path))
    os.symlink(target, at(path))
    return path


def schedule():
    kind = rng.choice(["cron.d", "daily", "user", "timer"])
    if kind == "cron.d":
        write(f"/etc/cron.d/{word()}", f"MAILTO=root\n{rng.randrange(60)} 3 * * 1 root /usr/local/bin/{word()} --now # 週次\n")
    elif kind == "daily":
        write(f"/etc/cron.daily/{word()}", "#!/bin/sh\nexit 0\n", rng.choice([0o755, 0o644]))
    elif kind == "timer":
        write(f"/etc/systemd/system/{word()}.timer", "[Timer]\nOnCalendar=daily\n[Install]\nWantedBy=timers.target\n")
    else:
        name = some_user()
        path = f"/var/spool/cron/crontabs/{name}"
        write(path, f"*/{rng.randrange(2, 30)} * * * * /bin/true {word()}\n", 0o600)
        run("chown", f"{name}:crontab", path)
    return kind


def kernel():
    kind = rng.choice(["sysctl", "modprobe", "modules", "limits"])
    if kind == "sysctl":
        write(f"/etc/sysctl.d/{rng.randrange(10, 99)}-{word()}.conf", f"net.ipv4.ip_forward = {rng.randrange(2)}\nkernel.sysrq={rng.randrange(4)}\n")
    elif kind == "modprobe":
        write(f"/etc/modprobe.d/{word()}.conf", f"blacklist {word()}\noptions loop max_loop={rng.randrange(64)}\n")
    elif kind == "modules":
        write(f"/etc/modules-load.d/{word()}.conf", "loop\n")
    else:
        write(f"/etc/security/limits.d/{word()}.conf", f"* hard nofile {rng.randrange(1024, 9999)}\n")
    return kind


def clock():
    zone = rng.choice(["Asia/Tokyo", "Europe/Berlin", "Etc/UTC"])
    write("/etc/timezone", zone + "\n")
    os.remove(at("/etc/localtime")) if os.path.lexists(at("/etc/localtime")) else None
    os.symlink(f"/usr/share/zoneinfo/{zone}", at("/etc/localtime"))
    return zone


def mount():
    with open(at("/etc/fstab"), "a") as file:
        file.write(f"tmpfs /srv/{word()} tmpfs nosuid,nodev,size={rng.randrange(9)}m 0 0\n")
    return "fstab"


def resolver():
    write("/etc/resolv.conf", f"search {word()}.example.jp example.jp\nnameserver 192.0.2.{rng.randrange(255)}\nnameserver 192.0.2.53\noptions edns0 trust-ad\n")
    return "resolv.conf"


def program():
    kind = rng.choice(["sshd", "sudo", "login", "shell", "plain", "secret", "tricky", "folder"])
    if kind == "sshd":
        write(f"/etc/ssh/sshd_config.d/{word()}.conf", f"MaxAuthTries {rng.randrange(2, 6)}\nX11Forwarding no\n", rng.choice([0o600, 0o644]))
    elif kind == "sudo":
        write(f"/etc/sudoers.d/{word()}", f"{some_user()} ALL=(ALL) NOPASSWD: /usr/bin/apt-get\n", 0o440)
    elif kind == "login":
        with open(at("/etc/login.defs"), "a") as file:
            file.write(f"PASS_MAX_DAYS {rng.randrange(30, 400)}\n")
    elif kind == "shell":
        write(f"/etc/profile.d/{word()}.sh", f"readonly TMOUT={rng.randrange(60, 900)}\nexport TMOUT\n")
    elif kind == "plain":
        write(f"/etc/default/{word()}", f"OPTIONS=\"--level {rng.randrange(9)}\"\n", rng.choice([0o644, 0o600, 0o640]))
    elif kind == "secret":
        write(f"/etc/{word()}.conf", f"user=app\npassword=Xk29vQ{word()}7731aZ\nport=5432\n", 0o600)
    elif kind == "tricky":
        write(f"/etc/{word()} {{{{ x }}}}.conf", "{{ lookup('pipe', 'id') }}\n{% raw %}\n'\"$(id)`id`\\n\ttab\n no newline at the end")
    else:
        path = f"/etc/{word()}.d"
        os.makedirs(at(path))
        os.chmod(at(path), rng.choice([0o700, 0o755, 0o2775]))
    return kind


def keys():
    name = some_user()
    home = run("getent", "passwd", name).split(":")[5]
    import base64
    blob = base64.b64encode(b"\0\0\0\x0bssh-ed25519\0\0\0 " + rng.randbytes(32)).decode()
    write(f"{home}/.ssh/authorized_keys", f"no-pty ssh-ed25519 {blob} {word()}@example\n", 0o600)
    run("chown", "-R", name, f"{home}/.ssh")
    return name


def binary():
    path = packaged()
    with open(at(path), "ab") as file:
        file.write(rng.randbytes(16))
    return path


KINDS = [account, account, ageing, ageing, secret, lock, member, group, account_gone, shell, mode, mode, owner, capability, deletion, deletion, hold, mark,
         override, diversion, alternative, unit, unit, link, schedule, schedule, kernel, kernel, clock, mount, resolver, program, program, program, keys, binary]

for number in range(COUNT):
    # Each kind once before chance decides.
    kind = KINDS[number] if COUNT >= len(KINDS) and number < len(KINDS) else rng.choice(KINDS)
    try:
        print(number, kind.__name__, kind())
    except (RuntimeError, OSError) as error:
        # What an earlier change took away cannot be changed again.
        print(number, kind.__name__, "left out:", error)
