"""Files of torch.save and of NumPy made by hand, so that each of their parts can be a lie."""

import io
import pickle
import struct
import tarfile
import zipfile

MAGIC_NUMBER = 0x1950A86A20F9469CFC6C


class Global:
    """A name that a pickle asks for: what is pickled need not be there."""

    def __init__(self, module, name):
        self.module, self.name = module, name

    def __call__(self, *arguments, state=None):
        return Call(self, arguments, state)


class Call:
    def __init__(self, function, arguments, state=None):
        self.function, self.arguments, self.state = function, arguments, state


class Persistent:
    def __init__(self, key):
        self.key = key


FLOATS = Global("torch", "FloatStorage")
REBUILD = Global("torch._utils", "_rebuild_tensor_v2")
ORDERED = Global("collections", "OrderedDict")


def stored(key="0", size=6, kind=FLOATS, stream=False):
    return Persistent(("storage", kind, key, "cpu", size) + (None,) * stream)


def tensor(storage, shape=(2, 3), strides=(3, 1), offset=0, grad=False, *more):
    return REBUILD(storage, offset, shape, strides, grad, ORDERED(), *more)


def pickled(item):
    """The pickle of plain data with the above in it, in protocol 2."""
    return b"\x80\x02" + _pickled(item) + b"."


def _pickled(item):
    if isinstance(item, Global):
        return f"c{item.module}\n{item.name}\n".encode()
    if isinstance(item, Call):
        call = _pickled(item.function) + _pickled(item.arguments) + b"R"
        return call if item.state is None else call + _pickled(item.state) + b"b"
    if isinstance(item, Persistent):
        return _pickled(item.key) + b"Q"
    if type(item) is tuple:
        return b"(" + b"".join(map(_pickled, item)) + b"t"
    if type(item) is list:
        return b"](" + b"".join(map(_pickled, item)) + b"e"
    if type(item) is dict:
        return b"}(" + b"".join(_pickled(k) + _pickled(v) for k, v in item.items()) + b"u"
    if type(item) is str:
        return b"X" + struct.pack("<I", len(item.encode())) + item.encode()
    return pickle.dumps(item, 2)[2:-1]


def zip_of(item, storages=(), order="little", folder="archive", method=zipfile.ZIP_STORED, **more):
    """A file of torch.save's zip layout: ``item`` and the bytes of storages "0", "1" …"""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        archive.writestr(f"{folder}/data.pkl", item if type(item) is bytes else pickled(item))
        if order:
            archive.writestr(f"{folder}/byteorder", order)
        for key, content in enumerate(storages):
            archive.writestr(f"{folder}/data/{key}", content)
        for name, content in more.items():
            archive.writestr(f"{folder}/{name}", content)
    return file.getvalue()


def stream_of(item, storages=(), keys=None, version=1001, itemsize=4):
    keys = [str(i) for i in range(len(storages))] if keys is None else keys
    parts = [MAGIC_NUMBER, version, {"little_endian": True}, item, keys]
    data = [struct.pack("<q", len(content) // itemsize) + content for content in storages]
    return b"".join(part if type(part) is bytes else pickled(part) for part in parts) + b"".join(
        data
    )


def tar_of(item, storages, views, tensors):
    """Files of torch.save before 0.1.12. A storage is key, kind, count, bytes; a tensor key,
    storage's key, shape, strides, offset."""
    numbers = b"".join(
        pickled((key, "cpu", kind)) + struct.pack("<q", count) + content
        for key, kind, count, content in storages
    )
    shapes = b"".join(
        pickled((key, storage, Global("torch", "FloatTensor")))
        + struct.pack(f"<i4x{2 * len(shape)}qq", len(shape), *shape, *strides, offset)
        for key, storage, shape, strides, offset in tensors
    )
    files = {
        "storages": pickled(len(storages)) + numbers + pickled(views),
        "tensors": pickled(len(tensors)) + shapes,
        "pickle": pickled(item),
    }
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return file.getvalue()
