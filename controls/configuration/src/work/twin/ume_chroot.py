"""Runs the tasks of a project in the root folder that UME_TWIN names."""

import os
import shutil
import subprocess

from ansible.plugins.connection import ConnectionBase

DOCUMENTATION = """
    name: ume_chroot
    short_description: Runs in a root folder
    description:
        - Runs commands in the root folder that the variable UME_TWIN of the environment names.
    author: Ume
    options: {}
"""

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class Connection(ConnectionBase):
    transport = "ume_chroot"
    has_pipelining = True

    def _connect(self):
        self._connected = True
        return self

    def exec_command(self, cmd, in_data=None, sudoable=False):
        super().exec_command(cmd, in_data=in_data, sudoable=sudoable)
        done = subprocess.run(
            ["chroot", os.environ["UME_TWIN"], "/bin/sh", "-c", cmd],
            input=in_data or b"",
            capture_output=True,
            env={"PATH": PATH, "HOME": "/root", "LC_ALL": "C.UTF-8", "PYTHONDONTWRITEBYTECODE": "1"},
        )
        return done.returncode, done.stdout, done.stderr

    def _place(self, path):
        return os.path.join(os.environ["UME_TWIN"], path.lstrip("/"))

    def put_file(self, in_path, out_path):
        shutil.copyfile(in_path, self._place(out_path))

    def fetch_file(self, in_path, out_path):
        shutil.copyfile(self._place(in_path), out_path)

    def close(self):
        self._connected = False
