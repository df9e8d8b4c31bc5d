"""Seeded weights in Keras's layout, in which channels come last: TensorFlow's networks compared with torch's."""

from tests.parity.seeded import tensor

#: Shape of the input of FreDect's networks, in torch's layout.
COEFFICIENTS = (2, 3, 64, 64)


def drawn(number, shape):
    """Weight in torch's layout [out, in, ...] and bias of a network's layer, counted among those that have some."""
    return tensor(0, f"{number}.weight", shape), tensor(0, f"{number}.bias", shape[:1])


def logits(model, x):
    """Fill a Keras network and give its logits before the last activation, on ``x`` [B, C, H, W]."""
    flattened = next(layer for layer in model.layers if "flatten" in layer.name).input.shape[1:]
    for number, layer in enumerate(layer for layer in model.layers if layer.weights):
        kernel = tuple(layer.weights[0].shape)
        spatial = kernel[:3] if len(kernel) == 4 else tuple(flattened)
        weight, bias = drawn(number, (kernel[-1], spatial[2], *spatial[:2]))
        layer.set_weights([weight.permute(2, 3, 1, 0).reshape(kernel).numpy(), bias.numpy()])
    model.layers[-1].activation = None
    return model(x.permute(0, 2, 3, 1).numpy()).numpy()[:, 0].tolist()
