"""A rank that fails ends the run on all, with its own traceback, and nobody waits for ever."""

from __future__ import annotations

import re

import pytest

from .launching import script

pytestmark = pytest.mark.no_c
pytest.importorskip("mpi4py")

# What rank 1 does while the others wait for it, and what must be told.
FAULTS = {
    "an error": ("raise KeyError('lost')", r"\[rank 1\] KeyError: 'lost'\n(.*\n)*rank 1: failed"),
    "an error in a thread": (
        "threading.Thread(target=lambda: 1 / 0).start(); time.sleep(60)",
        r"\[rank 1\] ZeroDivisionError.*\n(.*\n)*rank 1: failed in Thread-1",
    ),
    "sys.exit": (
        "sys.exit(3)",
        r"\[rank 0\] RuntimeError: all_reduce: the ranks differ: ranks 0, 2: all_reduce float32"
        r" \(3,\) op='sum'; rank 1: the end of the script",
    ),
    "its end": ("pass", r"\[rank 0\] RuntimeError: all_reduce: .*rank 1: the end of the script"),
    "an interrupt": ("os.kill(os.getpid(), signal.SIGINT)", r"\[rank 1\] KeyboardInterrupt"),
    "abort": ("dist.abort('no more')", "rank 1: no more"),
    "kill -9": ("os.kill(os.getpid(), signal.SIGKILL)", "KILLED BY SIGNAL: 9|Killed"),
    "no answer": (
        "time.sleep(60)",
        r"\[rank 0\] TimeoutError: all_reduce float32 \(3,\) op='sum': rank 0 of 3 has waited for"
        r" 3 s, and another rank has not come to the same call",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_rank_that_fails_ends_the_run(fault: str) -> None:
    does, told = FAULTS[fault]
    body = f"""
        dist.init(timeout=3)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        dist.barrier()
        began = time.time()
        if dist.rank() == 1:
            {does}
        else:
            dist.all_reduce(tt.ones(3))
        print("after it")
        """
    done = script(3, body, seconds=30)
    assert done.returncode != 0
    assert re.search(told, done.stderr + done.stdout), done.stderr + done.stdout
    assert not done.stdout.count("after it") - (fault == "its end")


def test_a_backward_pass_that_others_do_not_run_is_told() -> None:
    body = """
        dist.init(timeout=5)
        model = dist.DistributedDataParallel(tt.nn.Linear(3, 2))
        loss = model(tt.ones(4, 3)).sum()
        if dist.rank() == 1:
            with model.no_sync():
                loss.backward()
            dist.barrier()
        else:
            loss.backward()
        """
    done = script(2, body)
    assert done.returncode != 0
    told = "rank 0: the end of DistributedDataParallel's backward pass; rank 1: barrier"
    assert told in done.stderr, done.stderr


def test_a_rank_that_fails_before_init_is_waited_for_in_vain() -> None:
    body = """
        if os.environ["PMI_RANK"] == "1":
            raise KeyError("before")
        dist.init(timeout=2)
        """
    done = script(2, body, seconds=30)
    assert done.returncode != 0
    assert "KeyError: 'before'" in done.stderr
    assert "in _all_ranks_call_init" in done.stderr, done.stderr


def test_ranks_that_have_not_called_init_are_told() -> None:
    body = """
        import warnings
        warnings.simplefilter("error")
        dist.DistributedDataParallel(tt.nn.Linear(2, 2))
        """
    done = script(2, body)
    assert done.returncode != 0
    assert "each process trains by itself: call distributed.init() first" in done.stderr
    assert script(1, body).returncode == 0


def test_a_child_of_a_rank_is_no_rank() -> None:
    body = """
        import multiprocessing

        def child(queue):
            for call in (dist.init, dist.barrier):
                try:
                    call() if call is dist.barrier else call(timeout=3)
                except RuntimeError as error:
                    queue.put(str(error))
            raise KeyError("a child's own")

        dist.init()
        context = multiprocessing.get_context("fork")
        queue = context.Queue()
        process = context.Process(target=child, args=(queue,))
        process.start()
        told = [queue.get(), queue.get()]
        process.join()
        assert "is a rank already" in told[0], told
        assert told[1] == "barrier: a child of a rank's process is no rank", told
        dist.barrier()
        """
    done = script(2, body)
    assert done.returncode == 0, done.stderr


def test_a_rank_that_ends_later_is_waited_for() -> None:
    body = """
        dist.init(timeout=0.5)
        if dist.rank() == 1:
            time.sleep(1)
            print("done")
        """
    done = script(2, body)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "done\n"
