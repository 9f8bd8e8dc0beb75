"""Pickles: plain data comes back, nothing is run, and no claim takes memory."""

import collections
import datetime
import pickle
import pickletools
import random
import resource
import struct
import subprocess
import sys

import numpy as np
import pytest

from tinytensor.io.unpickler import NUMPY, StandIn, Unpickler

pytestmark = pytest.mark.no_c

SHARED = [1, 2]
PLAIN = [
    None,
    True,
    False,
    *(0, 255, 256, 65535, 65536, -1, 2**31 - 1, -(2**31), 2**31, 2**64, -(2**64), 2**3000),
    *(0.0, -1.5, float("inf"), 1e-320),
    *("", "text", "\N{SNOWMAN}\n\\u1", "\0" * 300, "x" * 70_000),
    *((), (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4), [], [1], [1, 2, [3]], {}, {"a": 1}),
    {"a": {1: [(None, {})]}, 2: "b", None: 3, 2.5: 4, ("a", 1): 5},
    [SHARED, SHARED, (SHARED, "text", "text")],
    list(range(3000)),
    {i: str(i) for i in range(3000)},
]


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("data", PLAIN, ids=lambda data: repr(data)[:30])
def test_plain_data(data, protocol):
    content = pickle.dumps(data, protocol)
    machine = Unpickler(content + b"more")
    assert machine.load() == data
    assert machine.position == len(content)


@pytest.mark.parametrize("data", [b"", b"abc", b"\xff" * 300, bytearray(b"abc"), {b"k": b"v"}])
@pytest.mark.parametrize("protocol", range(6))
def test_bytes(data, protocol):
    if protocol < 5 and isinstance(data, bytearray):
        return  # earlier ones call bytearray
    assert Unpickler(pickle.dumps(data, protocol), NUMPY).load() == data


@pytest.mark.parametrize("data", [set(), {1, "a", (2, 3)}, frozenset({1}), frozenset()])
def test_sets(data):
    assert Unpickler(pickle.dumps(data, 4)).load() == data


def test_what_is_shared_is_shared():
    a, b, _ = Unpickler(pickle.dumps([SHARED, SHARED, 0])).load()
    assert a is b


def test_the_strings_of_python_2():
    content = b"(U\x03ab\xffT\x02\0\0\0cdS'e\\x66'\nt."
    assert Unpickler(content, encoding="bytes").load() == (b"ab\xff", b"cd", b"ef")
    assert Unpickler(content, encoding="latin1").load() == ("ab\xff", "cd", "ef")
    with pytest.raises(ValueError, match="at byte 1: UnicodeDecodeError"):
        Unpickler(content).load()


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("code", ["u1", ">i2", "<f4", ">f8", "?", "c16"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_arrays(protocol, code, order):
    array = np.asarray(np.arange(6).reshape(2, 3).astype(code), order=order)
    found = Unpickler(pickle.dumps(array, protocol), NUMPY).load().array()
    np.testing.assert_array_equal(found, array)
    assert found.dtype == array.dtype


def test_several_pickles_in_one_file():
    machine = Unpickler(b"".join(pickle.dumps(i) for i in ("a", [1], None)))
    assert [machine.load() for _ in range(3)] == ["a", [1], None]


def test_a_table_a_hook_and_stand_ins():
    class Ordered(StandIn, dict):
        def build(self, state):
            self.state = state

    names = {
        ("collections", "OrderedDict"): Ordered,
        ("datetime", "date"): lambda content: ("date", content),
        ("builtins", "range"): 17,  # any value, which cannot be called
    }
    data = collections.OrderedDict(a=1)
    data.note = "kept"
    found = Unpickler(pickle.dumps(data), names).load()
    assert (dict(found), found.state) == ({"a": 1}, {"note": "kept"})
    date = datetime.date(2020, 1, 2)
    assert Unpickler(pickle.dumps(date), names).load()[0] == "date"
    assert Unpickler(pickle.dumps(range), names).load() == 17
    for refused, match in (
        (range(3), "calls an int"),
        (datetime.date, "asks for datetime.date it"),
    ):
        with pytest.raises(ValueError, match=match):
            Unpickler(pickle.dumps(refused), names).load()
    for protocol in (0, 2):
        content = {0: b"Pkey 1\n.", 2: b"\x80\x02X\x05\0\0\0key 1Q."}[protocol]
        assert Unpickler(content, persistent=lambda key: [key]).load() == ["key 1"]
        with pytest.raises(ValueError, match="persistent id, 'key 1'"):
            Unpickler(content).load()


class Harm:
    done = False

    def __init__(self, how):
        self.how = how

    def __reduce__(self):
        return self.how


HARM = [
    (setattr, (Harm, "done", True)),
    (exec, ("raise SystemExit",)),
    (getattr, (Harm, "done")),
    (print, ()),
    (object.__reduce_ex__, (1, 2)),
]


@pytest.mark.parametrize("how", HARM, ids=lambda how: how[0].__name__)
@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("names", [{}, NUMPY], ids=["nothing", "numpy"])
def test_nothing_is_run(how, protocol, names):
    with pytest.raises(ValueError, match=r"at byte \d+: it asks for "):
        Unpickler(pickle.dumps([Harm(how)], protocol), names).load()
    assert not Harm.done


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (b"", "truncated"),
        (b"K", "truncated"),
        (b"hello", "no memo 101"),
        (b"\xff.", "no operation"),
        (b"\x82\x01.", "no operation"),  # an extension
        (b"\x97.", "no operation"),  # a buffer from elsewhere
        (b"\x80\x06N.", "protocol 6"),
        (b".", "stack is empty"),
        (b"t.", "no mark"),
        (b"0.", "no mark"),
        (b"]K\x01K\x02s.", "no dict"),
        (b"}K\x01a.", "no list"),
        (b"}(K\x01u.", "no value"),
        (b"K\x01(o.", "stack is empty"),
        (b"K\x01)R.", "calls an int"),
        (b"]}b.", "takes none"),
        (b"N" + b"p1000\n.", "memo 1000 of a pickle of 8 bytes"),
        (b"Np-1\n.", "memo -1"),
        (b"Nr\0\0\0\x40\x30N.", r"memo 1073741824 of a pickle of 9 bytes"),
        (b"Nq\xff.", "memo 255"),
        (b"j\0\0\0\x40.", "no memo 1073741824"),
        (b"g3\n.", "no memo 3"),
        (b"\x8b\xff\xff\xff\x7f.", "2147483647 bytes should follow"),
        (b"\x8b\xff\xff\xff\xff.", "-1 bytes should follow"),
        (b"\x8e" + b"\xff" * 8 + b".", "18446744073709551615 bytes should follow"),
        (b"\x8d" + struct.pack("<Q", 2**40) + b".", "1099511627776 bytes should follow"),
        (b"\x96" + struct.pack("<Q", 2**33) + b".", "8589934592 bytes should follow"),
        (b"\x95" + struct.pack("<Q", 2**33) + b".", "frame of 8589934592"),
        (b"B\xff\xff\xff\xff.", "4294967295 bytes should follow"),
        (b"X\xff\xff\xff\xff.", "4294967295 bytes should follow"),
        (b"T\xff\xff\xff\xff.", "-1 bytes should follow"),
        (b"I" + b"9" * 5000 + b"\n.", "ValueError|digits"),
        (b"L" + b"9" * 5000 + b"L\n.", "ValueError|digits"),
        (b"I1", "truncated within a line"),
        (b"Ione\n.", "invalid literal"),
        (b"S'a\n.", "not quoted"),
        (b"X\x01\0\0\0\xff.", "UnicodeDecodeError"),
        (b"]q\0h\0a.", "contains itself"),
        (b"]q\0}K\x01h\0sa.", "contains itself"),
        (b"(" + b"]" * 101 + b"a" * 100 + b"0.", "stack is empty"),
        (b"]" * 101 + b"a" * 100 + b".", "nested more than 100 deep"),
        (b"N" + b"\x85" * 1_000_000 + b".", "more containers than|nested more"),
        (b"(" * 2_000_000, "more containers than a pickle of its size"),
        (b"\x8f" * 1_000_000, "more containers than a pickle of its size"),
        (b"}]K\x01s.", "a key is a list"),
        (b"\x8f(]\x90.", "a key is a list"),
        (b"N" + b"\x852\x86" * 60 + b"q\0}h\0Ns.", "a key is a tuple"),
        (b"}\x8b\x01\x04\0\0" + b"\x7f" * 1025 + b"Ns.", "a number of 8199 bits"),
        # A list of two, of two, of two …
        (b"]" + b"q\0]h\0ah\0a" * 60 + b".", "unfolds to more than"),
        (b"N" + b"2\x86" * 60 + b".", "unfolds to more than"),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_what_is_broken_or_hostile(content, match):
    with pytest.raises(ValueError, match=rf"at byte \d+: .*({match})"):
        Unpickler(content).load()


def test_the_bytes_that_a_function_copies_are_counted():
    """A string in the memo, of which each of 1000 short calls would make other bytes."""
    call = b"h\0X\x06\0\0\0latin1\x86R0"
    text = b"X" + struct.pack("<I", 10_000) + b"x" * 10_000 + b"q\x010"
    content = b"c_codecs\nencode\nq\x020" + text + b"%s."
    call = b"h\x02h\x01X\x06\0\0\0latin1\x86R0"
    assert Unpickler(content % (call + b"N"), NUMPY).load() is None
    with pytest.raises(ValueError, match="more bytes than it holds"):
        Unpickler(content % (call * 1000 + b"N"), NUMPY).load()


@pytest.mark.parametrize(
    ("state", "match"),
    [
        ((1, (3,), np.dtype("u1"), False, b"12"), "has 2 bytes"),
        ((1, (0, 2**62), np.dtype("u1"), False, b""), None),
        ((1, (0, 2**62), np.dtype("f8"), False, b""), "no array can have"),
        ((1, (1,) * 65, np.dtype("u1"), False, b"1"), "65 axes"),
        ((1, (-1,), np.dtype("u1"), False, b"1"), "no array can have"),
        ((1, 1, np.dtype("u1"), False, b"1"), "not a list of whole numbers"),
        ((1, (1,), np.dtype("u1"), False, "1"), "has a str"),
        ((1, (1,), "u1", False, b"1"), "an array of str"),
        ((1, (1,)), "not 5 items"),
        ((1, (1,), np.dtype("O"), False, b"1" * 8), "dtype 'O8'"),
        ((1, (1,), np.dtype("f4,f4"), False, b"1" * 8), "dtype 'V8'"),
        ((1, (1,), np.dtype("U2"), False, b"1" * 8), "dtype 'U2'"),
    ],
)
def test_arrays_that_lie(state, match):
    class Lie:
        def __reduce__(self):
            return np._core.multiarray._reconstruct, (np.ndarray, (0,), b"b"), state

    machine = Unpickler(pickle.dumps(Lie(), 2), NUMPY)
    if match is None:
        assert machine.load().array().shape == state[1]
        return
    with pytest.raises(ValueError, match=match):
        machine.load().array()


def test_the_memo_keeps_what_is_put_last_at_each_place():
    content = b"(K\0q\0K\1q\5K\2q\1K\3\x94K\4q\2K\6q\1h\0h\5h\1h\2h\3t."  # \x94 is q\3
    assert Unpickler(content).load()[-5:] == (0, 1, 6, 4, 3)
    taken = b"(K\0q\0K\1q\1K\2q\3K\3q\2K\4q\3h\2h\3t."  # 3 is first beyond the list, then in it
    assert Unpickler(taken).load()[-2:] == (3, 4)


def test_a_memo_of_scattered_places_is_counted():
    puts = b"".join(b"r" + struct.pack("<I", i) for i in range(1_600_000, 1_100_000, -1))
    with pytest.raises(ValueError, match="more containers than a pickle of its size"):
        Unpickler(b"N" + puts + b".").load()
    assert Unpickler(b"N" + b"\x94" * 500_000 + b".").load() is None


@pytest.mark.parametrize("name", [b"cnumpy\ndtype\n", b"cnumpy.core.multiarray\nscalar\n"])
@pytest.mark.parametrize("after", [b"\x85R.", b"2\x86R.", b"222tR."])
def test_a_function_hashes_and_prints_nothing_unseen(name, after):
    """A pair of a pair of …: to hash it takes 2¹⁰⁰ steps."""
    pairs = b"N" + b"2\x86" * 100
    with pytest.raises(ValueError, match=r"at byte \d+: "):
        Unpickler(name + b"(" * (b"t" in after) + pairs + after, NUMPY).load()


def mutated(content, draw):
    content = bytearray(content)
    for _ in range(draw.randrange(1, 4)):
        at = draw.randrange(len(content))
        how = draw.randrange(4)
        if how == 0:
            content[at] = draw.randrange(256)
        elif how == 1:
            del content[at : at + draw.randrange(1, 9)]
        elif how == 2:
            content[at:at] = bytes([draw.choice(OPERATIONS)]) * draw.randrange(1, 4)
        else:
            content[at : at + 4] = struct.pack("<I", draw.choice([2**30, 2**32 - 1, 0, 255]))
        if not content:
            return b""
    return bytes(content)


OPERATIONS = [ord(operation.code) for operation in pickletools.opcodes]


def test_mutated_pickles_give_data_or_a_value_error():
    draw = random.Random(0)
    data = {"data": np.arange(12, dtype="u1").reshape(3, 4), "labels": [1, 2, 3], "x": PLAIN[-4:-2]}
    sound = [pickle.dumps(data, protocol) for protocol in range(6)]
    found = refused = 0
    for _ in range(3000):
        try:
            Unpickler(mutated(draw.choice(sound), draw), NUMPY, encoding="bytes").load()
            found += 1
        except ValueError:
            refused += 1
    assert min(found, refused) > 100


def test_a_pickle_of_9_bytes_takes_no_16_gb(tmp_path):
    (tmp_path / "test_batch").write_bytes(b"Nr\0\0\0\x40\x30N.")
    code = f"""if True:
        import resource
        from tinytensor.data import cifar10
        resource.setrlimit(resource.RLIMIT_AS, (8 << 30, 8 << 30))
        try:
            cifar10({str(tmp_path)!r}, train=False)
        except ValueError as error:
            print(error)"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "test_batch: not a CIFAR pickle: at byte 1: memo 1073741824" in run.stdout
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss < 8 << 20  # KB
