"""Models of real sizes, made where nothing is yet."""

from tools.full_size import FullSize


def test_models_are_made_in_a_folder_that_does_not_exist_yet(tmp_path):
    root = tmp_path / "some" / "models"
    folder = FullSize(root).folder("resnet18")
    assert (folder / "model.safetensors").stat().st_size > 2e7
    assert FullSize(root).folder("resnet18") == folder
