"""Runs the command line in processes forked from one that has imported the libraries: seconds less for each call.

Reads one JSON request per line, and answers each with a line. {"arguments", "folder", "script", "stdout", "stderr"} is
a call: it has a process of its own, as on the command line, and shares only its imports; the answer is its number.
{"wait": number, "seconds"} is answered with its exit code, or null if it has not ended by then.
"""

import json
import os
import select
import signal
import sys
import traceback
from pathlib import Path

ROOT = Path(__file__).parents[2]


def import_libraries():
    """Import what a run imports, and start nothing: a thread would not survive the fork."""
    import diffusers
    import lpips  # noqa: F401
    import timm  # noqa: F401
    import transformers

    import bench.cli.app
    import bench.execution.execute
    import bench.nets.latent_diffusion
    import bench.predict.predict
    import bench.report.write  # noqa: F401

    for name in ("AutoencoderKL", "DDIMScheduler", "UNet2DConditionModel"):
        getattr(diffusers, name)
    for name in ("BlipForConditionalGeneration", "BlipProcessor", "CLIPModel", "CLIPTextModel", "AutoTokenizer"):
        getattr(transformers, name)


def call(request):
    """Be the command: never returns."""
    code = 1
    try:
        signal.signal(signal.SIGINT, signal.default_int_handler)  # A shell's background jobs are deaf to Ctrl-C.
        os.chdir(request["folder"])
        for name, number in (("stdout", 1), ("stderr", 2)):
            file = os.open(request[name], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            os.dup2(file, number)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        script = str(Path(request["folder"], request["script"]))
        sys.argv = [request["script"], *request["arguments"]]
        sys.modules["__main__"].__file__ = script  # What its own processes import.
        from bench.cli.app import main

        main()
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:  # noqa: BLE001 - as the interpreter does
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def ended(child, seconds):
    """The exit code of a process; None if it has not ended after a number of seconds."""
    if seconds is not None:
        watch = os.pidfd_open(child)
        over = select.select([watch], [], [], seconds)[0]
        os.close(watch)
        if not over:
            return None
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def main():
    """Serve until standard input is closed."""
    import_libraries()
    for line in sys.stdin:
        request = json.loads(line)
        if "wait" in request:
            answer = ended(request["wait"], request["seconds"])
        else:
            answer = os.fork()
            if not answer:
                call(request)
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
