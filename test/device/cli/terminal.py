"""Runs a program in a terminal of its own and plays a person at it.

usage: terminal.py COLUMNS STEPS PROGRAM [ARGUMENT ...]

STEPS is a JSON list of {"see": text, "type": text} and {"see": text, "columns": number}: as soon as
the output since the step before contains the first, the second is typed, or the window resized.
Everything that the program writes goes to standard output as it is; the exit code is the program's.
"""

import fcntl
import json
import os
import pty
import struct
import sys
import termios


def resize(terminal, columns):
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))


def main(columns, steps, command):
    child, terminal = pty.fork()
    if child == 0:
        # Until the window has its size, nothing may be drawn in it.
        os.read(0, 1)
        os.execvp(command[0], command)
    resize(terminal, columns)
    os.write(terminal, b"\n")
    seen = b""
    while True:
        try:
            output = os.read(terminal, 65536)
        except OSError:
            break
        if not output:
            break
        sys.stdout.buffer.write(output)
        sys.stdout.buffer.flush()
        seen += output
        if steps and steps[0]["see"].encode() in seen:
            step = steps.pop(0)
            seen = b""
            if "columns" in step:
                resize(terminal, step["columns"])
            else:
                os.write(terminal, step["type"].encode())
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


sys.exit(main(int(sys.argv[1]), json.loads(sys.argv[2]), sys.argv[3:]))
