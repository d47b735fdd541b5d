"""Plays the service manager for one service, as systemd does with Type=notify and a socket unit.

    service_manager.py ADDRESS PROGRAM [ARGUMENT]...     ADDRESS: PORT, shared:PORT, /path or none

It holds the listening socket while the program comes and goes, and hears what the program says. Commands on standard
input: `start`, or the name of a signal for the program. On standard output, a JSON object a line: {"listening": true},
{"started": pid}, {"said": {...}}, {"ended": code or -signal}.
"""

import json
import os
import select
import signal
import socket
import sys
import tempfile

address, program = sys.argv[1], sys.argv[2:]


def tell(**what):
    print(json.dumps(what), flush=True)


def listen():
    if address == "none":
        return None
    if address.startswith("/"):
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(address)
    else:
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if address.startswith("shared:"):  # ReusePort=yes
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listener.bind(("127.0.0.1", int(address.removeprefix("shared:"))))
    listener.listen(4096)
    return listener


def start():
    pid = os.fork()
    if pid > 0:
        return pid
    os.dup2(os.open("/dev/null", os.O_RDWR), 1)
    if listener:
        os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="1")
        os.dup2(listener.fileno(), 3)
        os.set_inheritable(3, True)  # dup2 onto itself leaves it as it was
    os.execvp("setpriv", ["setpriv", "--pdeathsig", "KILL", *program])


listener = listen()
receiver = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
# A name outside of the file system, which a path test would not try.
receiver.bind("\0tuplecast-notify-%d" % os.getpid())
os.environ["NOTIFY_SOCKET"] = "@" + receiver.getsockname()[1:].decode()
wake, woken = os.pipe()
os.set_blocking(woken, False)
signal.set_wakeup_fd(woken)
signal.signal(signal.SIGCHLD, lambda *_: None)
tell(listening=True)
service, commands = 0, b""
while True:
    ready, _, _ = select.select([0, receiver, wake], [], [])
    if receiver in ready:
        tell(said=dict(line.split("=", 1) for line in receiver.recv(65536).decode().splitlines()))
        continue  # what the program said comes before its end
    if wake in ready:
        os.read(wake, 64)
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid:
            service = 0
            tell(ended=os.waitstatus_to_exitcode(status))
    if 0 in ready:
        read = os.read(0, 4096)
        if not read:
            break
        *lines, commands = (commands + read).split(b"\n")
        for line in lines:
            if line == b"start":
                service = start()
                tell(started=service)
            elif service:
                os.kill(service, signal.Signals[line.decode()])
