import torch

from bench.nets.adm import ADM, Shape, timestep_embedding

SMALL = Shape(32, (1, 2, 3), 1, (2, 4), 16, classes=10, groups=16)


def test_the_default_shape_is_that_of_the_256_px_checkpoint():
    with torch.device("meta"):
        model = ADM(Shape())
    assert sum(p.numel() for p in model.parameters()) == 552_814_086
    keys = set(model.state_dict())
    assert {"input_blocks.0.0.weight", "input_blocks.17.1.qkv.weight", "middle_block.1.proj_out.bias"} <= keys
    assert {"output_blocks.17.0.skip_connection.weight", "time_embed.2.bias", "out.2.weight"} <= keys
    assert model.state_dict()["out.2.weight"].shape == (6, 256, 3, 3)


def test_a_fresh_network_gives_zero_and_the_class_matters_once_trained():
    model = ADM(SMALL).eval()
    x, t = torch.randn(2, 3, 32, 32), torch.tensor([3, 900])
    assert model(x, t, torch.tensor([1, 4])).abs().max() == 0
    torch.nn.init.normal_(model.out[2].weight)
    for block in model.modules():
        if hasattr(block, "out_layers"):
            torch.nn.init.normal_(block.out_layers[3].weight, std=0.1)
    with torch.no_grad():
        one, other = model(x, t, torch.tensor([1, 4])), model(x, t, torch.tensor([2, 4]))
    assert one.shape == (2, 6, 32, 32)
    assert (one[0] - other[0]).abs().max() > 1e-4
    assert torch.equal(one[1], other[1])


def test_the_timestep_embedding_begins_with_cosines():
    made = timestep_embedding(torch.tensor([0, 500]), 8)
    assert made[0].tolist() == [1, 1, 1, 1, 0, 0, 0, 0]
    assert torch.allclose(made[1, 0], torch.tensor(500.0).cos(), atol=1e-4)
