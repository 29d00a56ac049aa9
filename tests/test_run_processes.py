"""What the processes that `smolcorn.run(workers=...)` starts can be seen to be told."""

import os
import subprocess
import sys
from pathlib import Path

from harness.certificates import Authority, key_pem
from harness.server import environment
from harness.wheel import needs_the_wheel

needs_the_wheel()

import smolcorn  # noqa: E402

PASSWORD = "a password that nobody else is to see"


def test_password_of_a_key_stands_in_no_command_line(tmp_path: Path) -> None:
    issued = Authority(tmp_path).issue("localhost", "127.0.0.1")
    issued.keyfile.write_bytes(key_pem(issued.key, password=PASSWORD))
    program = tmp_path / "program.py"
    program.write_text(
        "import smolcorn\n"
        "if __name__ == '__main__':\n"
        "    smolcorn.run('apps.workers:app', port=0, workers=2,"
        f" ssl_certfile={str(issued.certfile)!r}, ssl_keyfile={str(issued.keyfile)!r},"
        f" ssl_keyfile_password={PASSWORD!r})\n"
    )
    tests = str(Path(__file__).parent)
    search = [str(Path(smolcorn.__file__).parents[1]), tests]
    process = subprocess.Popen(
        [sys.executable, str(program)],
        env=environment({"PYTHONPATH": os.pathsep.join(search)}),
        cwd=tests,
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    )
    assert process.stderr is not None
    with process, process.stderr as lines:
        workers: set[int] = set()
        ready = 0
        for line in lines:
            if "Started server process" in line:
                workers.add(int(line.rpartition("[")[2].rstrip("]\n")))
            ready += "Application startup complete." in line
            if ready == 2:
                break
        assert len(workers) == 2
        for pid in workers:
            words = Path(f"/proc/{pid}/cmdline").read_bytes()
            assert b"--ssl-keyfile=" in words
            assert PASSWORD.encode() not in words
        process.terminate()
        lines.read()
        assert process.wait() == 0
