"""Numbers of albumentations 1.3.1 for :mod:`tests.parity.make`: DRCT's list, and its and LaRE²'s crops."""

from tests.parity.seeded import image, tensor

#: Test images at which every geometry is compared: even, odd, too small, portrait, landscape, one side too small.
ODD_SIZES = ((300, 260), (301, 259), (299, 450), (450, 301), (97, 131), (224, 225), (225, 511), (127, 400))


def augmentation():
    """Albumentations' functions behind DRCT's list at fixed numbers; its crops and LaRE²'s at odd and small sizes."""
    import albumentations as a
    import cv2
    from albumentations.augmentations import functional as f
    from albumentations.augmentations.blur import functional as blur
    from albumentations.augmentations.geometric import functional as geometric

    rgb = image(0, 75, 53)
    noise = tensor(0, "gauss", rgb.shape, like_normal=True).numpy() * 6
    made = {
        "image_compression": f.image_compression(rgb, 35, ".jpg"),
        "gauss_noise": f.gauss_noise(rgb, noise),
        "gaussian_blur": blur.gaussian_blur(rgb, 5, 0),
        "scale": geometric.scale(rgb, 0.73),
        "brightness_contrast": f.brightness_contrast_adjust(rgb, 1.13, -0.11, True),
        "fancy_pca": f.fancy_pca(rgb, 0.17),
        "hue_saturation_value": f.shift_hsv(rgb, -17.6, 22.3, -9.9),
        "grey": f.to_gray(rgb),
        "warped": geometric.shift_scale_rotate(rgb, -7.5, 1.15, 0.06, -0.04, cv2.INTER_LINEAR, cv2.BORDER_CONSTANT),
    }
    found = {name: x[::6, ::2].tolist() for name, x in made.items()}
    modes = {"constant": {"border_mode": cv2.BORDER_CONSTANT, "value": 0}, "reflect": {}}
    for mode, border in modes.items():
        prepare = a.Compose([a.PadIfNeeded(224, 224, **border), a.CenterCrop(224, 224)])
        crops = [prepare(image=image(n, *size))["image"] for n, size in enumerate(ODD_SIZES)]
        found[mode] = [[int(x.sum()), x[::31, ::29].tolist()] for x in crops]
    return found
