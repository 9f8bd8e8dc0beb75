"""Transforms of batches of images: what they mean, their draws, and the arguments they refuse."""

from __future__ import annotations

import colorsys
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tinytensor as tt
from tinytensor.data import (
    CenterCrop,
    ColorJitter,
    Compose,
    CutMix,
    Cutout,
    DataLoader,
    MixUp,
    Normalize,
    RandomAffine,
    RandomCrop,
    RandomErasing,
    RandomHorizontalFlip,
    RandomResizedCrop,
    RandomVerticalFlip,
    Resize,
    TensorDataset,
    ToFloat,
    Transform,
    adjust_brightness,
    adjust_contrast,
    adjust_hue,
    adjust_saturation,
)
from tinytensor.errors import ShapeError
from tinytensor.random import Stream

RANDOM: dict[str, Callable[..., Any]] = {
    "affine": lambda **g: RandomAffine(20, 1, (0.8, 1.2), (-0.1, 0.3), translate=0.1, **g),
    "crop": lambda **g: RandomCrop(8, padding=2, **g),
    "resized crop": lambda **g: RandomResizedCrop(8, **g),
    "horizontal": lambda **g: RandomHorizontalFlip(**g),
    "vertical": lambda **g: RandomVerticalFlip(**g),
    "erasing": lambda **g: RandomErasing(0.8, value="random", **g),
    "cutout": lambda **g: Cutout(3, **g),
    "jitter": lambda **g: ColorJitter(0.4, 0.4, 0.4, 0.3, **g),
}
FIXED: dict[str, Callable[[], Any]] = {
    "float": ToFloat,
    "normalize": lambda: Normalize([0.4, 0.5, 0.6], 0.2),
    "centre": lambda: CenterCrop((4, 6)),
    "resize": lambda: Resize(5),
}

pytestmark = pytest.mark.no_c


def bytes_(n: int = 6, size: int = 8) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (n, 3, size, size), dtype=np.uint8)


def floats(n: int = 6, size: int = 8) -> np.ndarray:
    return (bytes_(n, size) / 255).astype(np.float32)


# --- What all have in common -----------------------------------------------------------------


@pytest.mark.parametrize("name", RANDOM)
@pytest.mark.parametrize("images", [bytes_(), floats(), floats().astype(np.float64)])
def test_a_random_transform_keeps_kind_dtype_and_input(name, images):
    before = images.copy()
    out = RANDOM[name](generator=0)(images)
    assert isinstance(out, np.ndarray)
    assert out.dtype == images.dtype
    assert out.shape == images.shape
    assert (out != images).any()
    np.testing.assert_array_equal(images, before)
    as_tensor = RANDOM[name](generator=0)(tt.tensor(images))
    assert isinstance(as_tensor, tt.Tensor)
    np.testing.assert_array_equal(as_tensor.numpy(), out)
    if images.dtype == np.uint8:
        scaled = RANDOM[name](generator=0)(images / np.float32(255))
        if name != "erasing":  # its noise is another one
            np.testing.assert_allclose(scaled * 255, out, atol=0.51)


@pytest.mark.parametrize("name", [*RANDOM, *FIXED])
def test_one_image_no_image_and_a_batch_of_fields(name):
    make = RANDOM.get(name) or (lambda **g: FIXED[name]())
    images = bytes_()
    (one,) = make(generator=3)(images[:1])
    np.testing.assert_array_equal(make(generator=3)(images[0]), one)
    assert make()(images[:0]).shape == (0, *one.shape)
    labels = object()
    batch = make(generator=3)((images[:1], labels))
    assert isinstance(batch, tuple)
    np.testing.assert_array_equal(batch[0][0], one)
    assert batch[1] is labels
    assert isinstance(make()([images]), list)


@pytest.mark.parametrize("name", RANDOM)
def test_draws_of_a_transform(name):
    images = floats()

    def found(generator):
        transform = RANDOM[name](generator=generator)
        return transform(images).tobytes(), transform(images).tobytes()

    first, second = found(0)
    assert found(0) == (first, second)
    assert found(np.random.default_rng(1)) == found(np.random.default_rng(1)) != (first, second)
    assert first != second
    tt.manual_seed(4)
    by_default = found(None)
    tt.manual_seed(4)
    assert found(None) == by_default
    with Stream(1, 2):
        in_stream = found(7)
    with Stream(1, 2):
        RANDOM[name](generator=8)(images)
        transform = RANDOM[name](generator=7)
    transform(images)  # outside: the stream does not see it
    with Stream(1, 2):
        assert (transform(images).tobytes(), transform(images).tobytes()) == in_stream
    with Stream(1, 3):
        assert found(7) != in_stream


@pytest.mark.parametrize("name", RANDOM)
def test_each_image_gets_its_own(name):
    images = np.broadcast_to(floats(1), (24, 3, 8, 8))
    out = RANDOM[name](generator=0)(images)
    assert len({image.tobytes() for image in out}) >= 2


@pytest.mark.parametrize("number", [1, 3])
def test_augmented_batches_are_the_same_from_any_number_of_threads(number):
    def batches(workers):
        augment = Compose([make(generator=i) for i, make in enumerate(RANDOM.values())])
        loader = DataLoader(
            TensorDataset(bytes_(20), np.arange(20)),
            4,
            shuffle=True,
            num_workers=workers,
            generator=0,
            transform=Compose([augment, Normalize(0.5, 0.25), MixUp(num_classes=20)]),
        )
        return [(x.numpy().tobytes(), y.numpy().tobytes()) for x, y in loader]

    assert batches(number) == batches(0)


def test_transforms_refuse_what_is_no_image():
    for images in (np.ones(3), np.ones((2, 2)), np.ones((1,) * 5)):
        with pytest.raises(ShapeError, match=r"ToFloat: images must be \(N, C, H, W\) or"):
            ToFloat()(images)
    with pytest.raises(TypeError, match="images are bool"):
        ToFloat()(np.ones((1, 2, 2), bool))
    with pytest.raises(NotImplementedError, match="Transform does not define apply"):
        Transform()(floats())
    with pytest.raises(TypeError, match="an int is no function"):
        Compose([3])


# --- Without chance --------------------------------------------------------------------------


def test_to_float_and_normalize():
    images = bytes_()
    unit = ToFloat()(images)
    np.testing.assert_allclose(unit, images / 255, rtol=1e-6)
    assert ToFloat()(unit) is unit
    mean, std = np.array([0.4, 0.5, 0.6]), np.array([0.2, 0.3, 0.4])
    expected = (images / 255 - mean[:, None, None]) / std[:, None, None]
    for x in (images, unit):
        out = Normalize(mean, std)(x)
        assert out.dtype == np.float32
        np.testing.assert_allclose(out, expected, atol=1e-6)
    double = Normalize(mean, std)(images / 255)
    assert double.dtype == np.float64
    np.testing.assert_allclose(double, expected, atol=1e-14)
    with pytest.raises(ShapeError, match="mean is of 2 channels, the images have 3"):
        Normalize([0.5, 0.5], 1)(images)
    with pytest.raises(ValueError, match="std must be above 0"):
        Normalize(0, [1, 0, 1])


def test_center_crop():
    images = bytes_(2, 7)
    np.testing.assert_array_equal(CenterCrop((3, 5))(images), images[:, :, 2:5, 1:6])
    with pytest.raises(ShapeError, match=r"CenterCrop: size \(8, 8\) is above"):
        CenterCrop(8)(images)


def test_resize(torch):
    images = np.random.default_rng(1).random((2, 3, 9, 12), dtype=np.float32)
    interpolate = torch.nn.functional.interpolate
    for mode in ("bilinear", "bicubic", "nearest", "area"):
        for size in ((5, 20), (18, 6)):
            smooth = mode[:2] == "bi"
            expected = interpolate(torch.tensor(images), size=size, mode=mode, antialias=smooth)
            np.testing.assert_allclose(Resize(size, mode)(images), expected.numpy(), atol=1e-5)
    rough = interpolate(torch.tensor(images), size=(4, 5), mode="bilinear").numpy()
    np.testing.assert_allclose(Resize((4, 5), antialias=False)(images), rough, atol=1e-5)


def test_sizes_of_resize():
    assert Resize(6)(floats()[:, :, :, :5]).shape == (6, 3, 9, 6)
    assert Resize(4)(bytes_()).dtype == np.uint8
    same = floats()
    assert Resize(8)(same) is same
    np.testing.assert_array_equal(Resize(4)(np.full((1, 8, 8), 77, np.uint8)), 77)
    with pytest.raises(ValueError, match="there is no interpolation 'lanczos'"):
        Resize(3, "lanczos")


# --- Crops, flips and holes ------------------------------------------------------------------


def test_crops_are_parts_of_the_padded_image():
    images = bytes_(200, 6)
    padded = np.pad(images, ((0, 0), (0, 0), (2, 2), (1, 1)), constant_values=9)
    out = RandomCrop((6, 5), (2, 1), fill=9, generator=0)(images)
    seen = set()
    for image, whole in zip(out, padded, strict=True):
        places = [
            (top, left)
            for top in range(5)
            for left in range(4)
            if (whole[:, top : top + 6, left : left + 5] == image).all()
        ]
        assert places
        seen.update(places)
    assert len(seen) == 20  # every place
    modes = [RandomCrop(8, 2, padding_mode=m, generator=0)(bytes_()) for m in ("edge", "reflect")]
    assert (modes[0] != modes[1]).any()
    with pytest.raises(ShapeError, match=r"size \(9, 9\) is above \(8, 8\)"):
        RandomCrop(9)(bytes_())


def test_resized_crops():
    rows = np.arange(40, dtype=np.float32)[:, None]
    places = np.stack(np.broadcast_arrays(rows, rows.T[:, :30]))  # (2, 40, 30): row and column
    images = np.broadcast_to(places, (300, *places.shape))
    out = RandomResizedCrop((5, 4), (0.1, 0.5), (0.5, 2.0), generator=0)(images)
    assert out.shape == (300, 2, 5, 4)
    heights = (out[:, 0, -1, 0] - out[:, 0, 0, 0]) * 5 / 4  # of five rows the middles are known
    widths = (out[:, 1, 0, -1] - out[:, 1, 0, 0]) * 4 / 3
    areas, ratios = heights * widths / 1200, widths / heights
    assert 0.07 < areas.min() < 0.13 < 0.45 < areas.max() < 0.55
    assert 0.4 < ratios.min() < 0.6 < 1.7 < ratios.max() < 2.3
    assert len(np.unique(out[:, 0, 0, 0].round())) > 15
    whole = RandomResizedCrop((40, 30), (1.0, 1.0), (0.75, 0.75))(images[:1])
    np.testing.assert_array_equal(whole, images[:1])
    # Ten wide rectangles of all of the area do not fit: the middle, as wide as may be.
    middle = RandomResizedCrop((15, 30), (1.0, 1.0), (2.0, 2.0))(images[:1])
    np.testing.assert_array_equal(middle[0, 0, :, 0], np.arange(12, 27))


def test_flips():
    images = bytes_(50)
    for transform, axis in ((RandomHorizontalFlip, 3), (RandomVerticalFlip, 2)):
        out = transform(generator=0)(images)
        same = (out == images).all((1, 2, 3))
        flipped = (out == np.flip(images, axis)).all((1, 2, 3))
        assert (same ^ flipped).all()
        assert 10 < same.sum() < 40
        np.testing.assert_array_equal(transform(1.0)(images), np.flip(images, axis))
        np.testing.assert_array_equal(transform(0.0)(images), images)


def test_random_erasing():
    images = np.ones((300, 3, 20, 30), np.float32)
    out = RandomErasing(0.5, (0.1, 0.2), (0.5, 2.0), generator=0)(images)
    shares, ratios = [], []
    for image in out:
        hole = image[0] == 0
        assert (image == image[:1]).all()
        if hole.any():
            rows, columns = np.flatnonzero(hole.any(1)), np.flatnonzero(hole.any(0))
            assert hole[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].all()
            shares.append(hole.mean())
            ratios.append(len(rows) / len(columns))
    assert 110 < len(shares) < 190
    assert 0.08 < min(shares) < 0.12 < 0.18 < max(shares) < 0.22
    assert 0.4 < min(ratios) < 0.7 < 1.5 < max(ratios) < 2.4
    coloured = RandomErasing(1.0, value=(0.1, 0.2, 0.3), generator=0)(images)[0]
    assert {
        tuple(pixel) for pixel in coloured.reshape(3, -1).T.astype(float).round(1).tolist()
    } == {
        (1.0, 1.0, 1.0),
        (0.1, 0.2, 0.3),
    }
    with pytest.raises(ShapeError, match=r"RandomErasing: value is \(2,\)"):
        RandomErasing(1.0, value=(0, 1))(images)


def test_cutout_holes_may_stand_out():
    out = Cutout(4, generator=0)(np.ones((200, 3, 8, 8), np.uint8))
    sizes = (out[:, 0] == 0).sum((1, 2))
    assert sizes.max() == 16
    assert 0 < sizes.min() < 16
    assert not Cutout(100)(np.ones((2, 3, 8, 8))).any()


# --- Colours ---------------------------------------------------------------------------------


def test_colours_by_their_definitions():
    x = floats().astype(np.float64)
    grey = 0.2989 * x[:, :1] + 0.587 * x[:, 1:2] + 0.114 * x[:, 2:]
    mean = grey.mean((1, 2, 3), keepdims=True)
    for f in (0.0, 0.5, 1.0, 1.7):
        by = {
            adjust_brightness: f * x,
            adjust_contrast: f * x + (1 - f) * mean,
            adjust_saturation: f * x + (1 - f) * grey,
        }
        for adjust, expected in by.items():
            np.testing.assert_allclose(adjust(x, f), np.clip(expected, 0, 1), atol=1e-12)
            single = adjust(x.astype(np.float32), f)
            assert single.dtype == np.float32
            np.testing.assert_allclose(single, np.clip(expected, 0, 1), atol=1e-5)
            rounded = adjust(bytes_(), f)
            assert rounded.dtype == np.uint8
            np.testing.assert_allclose(rounded, np.clip(expected, 0, 1) * 255, atol=0.51)


def test_factors_below_0_are_refused():
    for adjust in (adjust_brightness, adjust_contrast, adjust_saturation):
        with pytest.raises(ValueError, match=f"{adjust.__name__}: a factor is at least 0, not -1"):
            adjust(floats(), -1)


def test_hue_as_pythons_own_module_has_it():
    x = floats(2, 4).astype(np.float64)
    x[0, :, 0, :2] = [[0, 1], [0, 1], [0, 1]]  # black and white have no hue
    for turn in (-0.5, -0.2, 0.0, 0.3, 0.5):
        out = adjust_hue(x, turn)
        for pixel, found in zip(
            x.transpose(0, 2, 3, 1).reshape(-1, 3),
            out.transpose(0, 2, 3, 1).reshape(-1, 3),
            strict=True,
        ):
            h, s, v = colorsys.rgb_to_hsv(*pixel)
            np.testing.assert_allclose(found, colorsys.hsv_to_rgb((h + turn) % 1, s, v), atol=1e-12)


def test_color_jitter():
    images = floats(64)
    only = ColorJitter(brightness=0.5, generator=0)(images)
    darker = only[:, :, :, :].max((1, 2, 3)) / images.max((1, 2, 3))
    assert 0.5 <= darker.min() < 0.6
    np.testing.assert_array_equal(ColorJitter()(images), images)
    np.testing.assert_allclose(
        ColorJitter(brightness=(0.5, 0.5))(images), adjust_brightness(images, 0.5), atol=1e-6
    )
    alone = ColorJitter(saturation=0.5, hue=0.5)(np.full((2, 1, 3, 3), 0.5))
    np.testing.assert_array_equal(alone, 0.5)  # of one channel there is only brightness
    with pytest.raises(ShapeError, match=r"images must be \(…, 3, H, W\)"):
        ColorJitter(0.1)(np.ones((2, 4, 3, 3)))


# --- Mixing ----------------------------------------------------------------------------------


def test_mixup_mixes_images_as_labels():
    images = np.eye(5, dtype=np.float32)[:, :, None, None]  # image i is of class i
    x, y = MixUp(0.5, num_classes=5, generator=0)(images, np.arange(5))
    np.testing.assert_allclose(x[:, :, 0, 0], y, atol=1e-6)
    np.testing.assert_allclose(y.sum(1), 1, atol=1e-6)
    assert ((y > 0).sum(1) <= 2).all()
    assert ((y > 0).sum(1) == 2).any()
    again = MixUp(generator=0)((tt.tensor(images), tt.tensor(y), "more"))
    assert again[2] == "more"
    assert isinstance(again[0], tt.Tensor)


def test_cutmix_labels_are_the_shares_of_pixels():
    images = np.broadcast_to(np.eye(6)[:, :, None, None], (6, 6, 9, 11))
    x, y = CutMix(num_classes=6, generator=0)(images, np.arange(6))
    np.testing.assert_allclose(x.mean((2, 3)), y, atol=1e-6)
    assert ((y > 0).sum(1) == 2).any()
    assert set(np.unique(x)) == {0.0, 1.0}


@pytest.mark.parametrize("mixing", [MixUp, CutMix])
def test_mixing_checks_its_labels(mixing):
    images = floats(3)
    with pytest.raises(ValueError, match="labels that are classes need num_classes"):
        mixing()(images, [0, 1, 2])
    with pytest.raises(ValueError, match="labels are from 0 to 2, of 2 classes"):
        mixing(num_classes=2)(images, [0, 1, 2])
    with pytest.raises(ShapeError, match="labels must be classes"):
        mixing(num_classes=2)(images, [0.5, 1, 2])
    with pytest.raises(ShapeError, match="with N labels"):
        mixing(num_classes=2)(images, [0, 1])
    with pytest.raises(TypeError, match="needs images and labels"):
        mixing(num_classes=2)(images)
    with pytest.raises(ValueError, match="alpha must be above 0"):
        mixing(0)


# --- Arguments -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: RandomCrop(0), "RandomCrop: size must be a whole number above 0"),
        (lambda: RandomCrop((1, 2, 3)), "RandomCrop: size must be"),
        (lambda: RandomCrop(2.5), "RandomCrop: size must be"),
        (lambda: RandomCrop(2, -1), "RandomCrop: padding must be"),
        (lambda: RandomCrop(2, padding_mode="wrap"), "there is no padding_mode 'wrap'"),
        (lambda: RandomHorizontalFlip(1.5), "RandomHorizontalFlip: p must be from 0 to 1"),
        (lambda: RandomErasing(p=-1), "RandomErasing: p must be from 0 to 1"),
        (lambda: RandomErasing(scale=(0.5, 2)), "RandomErasing: scale must be from 0 to 1"),
        (lambda: RandomErasing(ratio=(0, 2)), "RandomErasing: ratio must be above 0"),
        (lambda: RandomErasing(value="grey"), "RandomErasing: value must be numbers or"),
        (lambda: RandomResizedCrop(4, scale=(0, 2)), "RandomResizedCrop: scale must be from 0"),
        (lambda: Cutout(0), "Cutout: size must be"),
        (lambda: ColorJitter(hue=0.6), "ColorJitter: hue is out of its range"),
        (lambda: ColorJitter(brightness=(-1, 2)), "ColorJitter: brightness is out of its range"),
        (lambda: ColorJitter(contrast=(2, 1)), "contrast must be a number or"),
        (lambda: ColorJitter(contrast=-1), "contrast must be a number or"),
        (lambda: RandomAffine(translate=2), "translate must be in"),
        (lambda: RandomAffine(scale=(0, 1)), "scale must be above 0"),
        (lambda: RandomAffine(degrees=(3, 1)), "degrees must be a number or"),
        (lambda: Resize(-1), "Resize: size must be"),
    ],
)
def test_transforms_check_their_arguments(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_affine_ranges_and_filling():
    images = np.ones((50, 1, 9, 9), np.float32)
    filled = RandomAffine(shift=3, fill=1.0, generator=0)(images)
    np.testing.assert_allclose(filled, 1, rtol=3e-7)  # four weights in float32, whose sum is 1
    turned = RandomAffine(degrees=(90, 90))(images * np.arange(9, dtype=np.float32))
    np.testing.assert_allclose(
        turned, np.rot90(images * np.arange(9, dtype=np.float32), -1, (2, 3)), atol=1e-5
    )
    smaller = RandomAffine(scale=(0.5, 0.5))(images)
    np.testing.assert_allclose(smaller, np.swapaxes(smaller, 2, 3))
    assert 20 < smaller[0].sum() < 27
    moved = RandomAffine(translate=(0.0, 1.0), generator=0)(images)
    assert (moved.max((1, 3)) == moved[:, 0].max(2)).all()


def test_a_transform_of_its_own_seed_in_two_threads():
    """Draws outside of loaders come from one generator, which threads may share."""
    transform, found = RandomCrop(8, 2, generator=0), []

    def work() -> None:
        for _ in range(20):
            found.append(transform(bytes_()).shape)

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [(6, 3, 8, 8)] * 40
