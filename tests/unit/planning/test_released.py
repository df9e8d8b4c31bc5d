"""Detectors with released weights: how they are named, and what their fits are."""

from dataclasses import replace

import pytest

from bench import discover
from bench.detector import STAGES, Detector
from bench.errors import UserError
from bench.models.released import ReleasedFile
from bench.planning import released
from bench.planning.request import choose_methods, roles_of
from bench.planning.units import stages_of
from bench.progress import Progress
from bench.suites import suite as suites
from bench.types import Cell, Slice
from tests.conftest import item

MINI = suites.load("mini")


def test_files_are_named_by_method_with_the_papers_parameters(tmp_path):
    file = tmp_path / "weights=1.pth"
    file.write_bytes(b"x")
    found = released.named([f"cnnspot={file}", f"gramnet[drct]={file}"], MINI)
    assert list(found) == ["cnnspot", "gramnet[drct]"]
    chosen, path = found["cnnspot"]
    assert path == file
    assert chosen.method.params == type(chosen.method).Params()
    assert chosen.method.params != choose_methods("cnnspot", MINI)[0].method.params


@pytest.mark.parametrize(
    ("texts", "told"),
    [
        (["cnnspot"], "There is no `=`"),
        (["cnnspot=No/Such.PTH"], "No/Such.PTH is not a file"),
        (["cnnspott={file}"], "cnnspot"),
        (["cnnspot={file}", "cnnspot={file}"], "names cnnspot twice"),
    ],
)
def test_wrong_names_are_one_message(texts, told, tmp_path):
    file = tmp_path / "weights.pth"
    file.write_bytes(b"x")
    with pytest.raises(UserError) as error:
        released.named([text.format(file=file) for text in texts], MINI)
    assert told in f"{error.value.problem} {error.value.context} {error.value.fix}"


def test_every_released_detector_but_some():
    words = released.everything(set(), Progress())
    assert "univfd=hub" in words
    assert released.everything({"univfd"}, Progress()) == [word for word in words if word != "univfd=hub"]


def test_a_method_to_leave_out_must_exist():
    with pytest.raises(UserError, match="no method 'lgad'"):
        released.everything({"lgad"}, Progress())


def test_a_method_cannot_be_trained_and_given():
    with pytest.raises(UserError, match="cnnspot cannot be trained and given"):
        released.beside({"cnnspot": None}, choose_methods("gramnet,cnnspot", MINI))
    released.beside({"cnnspot": None}, choose_methods("cnnspot[drct]", MINI))


def test_a_fit_is_its_file_and_was_trained_on_nothing_that_is_known():
    (chosen,) = choose_methods("univfd", MINI)
    fits = [released.fit_of(chosen, content * 32, lambda role: f"hash of {role}") for content in ("aa", "bb")]
    assert fits[0].key != fits[1].key
    assert fits[0].weights == {role: f"hash of {role}" for role in chosen.method.companions()}
    assert fits[0].trained_on == ()
    cell = Cell(fits[0], Slice("genimage", "adm", "test", (item(1, 0),)))
    assert (cell.id.train, cell.id.train_protocol, cell.fit.title) == (
        "released",
        "released",
        "univfd, checkpoint aaaaaaaaaaaa",
    )


def test_a_statistic_has_no_checkpoint():
    (chosen,) = choose_methods("container", MINI)
    with pytest.raises(UserError, match="It is a trivial baseline"):
        released.fit_of(chosen, "a" * 64, str)


def test_released_weights_need_no_pretrained_ones():
    (cnnspot,) = choose_methods("cnnspot", MINI)
    assert roles_of(cnnspot) == {"resnet50"}
    assert roles_of(cnnspot, released=True) == set()
    (drct,) = choose_methods("drct_sare", MINI)
    assert roles_of(drct, released=True) < roles_of(drct)


@pytest.fixture
def files(tmp_path, monkeypatch):
    """Every released file, as if it were downloaded."""

    def get(file, progress):
        if file.downloadable:
            return tmp_path / f"{file.name}.pth", {role: tmp_path / f"{role}.pt" for role in file.companions}
        raise UserError(f"no program for {file.method}.", "c", "f")

    monkeypatch.setattr(ReleasedFile, "get", get)
    return tmp_path


def test_hub_stands_for_a_downloaded_file_and_its_companions(files):
    words = ["cnnspot=own.pth", "dire[adm]=hub:dire_pndm", "lgrad=hub"]
    found = released.downloaded(words, ["stylegan_discriminator=mine.pth"], Progress())
    assert found.checkpoints == (
        "cnnspot=own.pth",
        f"dire[adm]={files / 'dire_pndm.pth'}",
        f"lgrad={files / 'lgrad.pth'}",
    )
    assert found.weights == ("stylegan_discriminator=mine.pth", f"adm={files / 'adm.pt'}")


def test_all_that_cannot_be_used_is_told_at_once(files):
    with pytest.raises(UserError, match="released weights of 3 methods cannot be used") as caught:
        released.downloaded(["drct=hub", "defake=hub", "lare2=hub", "univfd=hub"], [], Progress())
    assert "no program for drct" in caught.value.context
    assert "runs code" in caught.value.context
    assert "lare2" in caught.value.context
    trusted = released.downloaded(["defake=hub"], [], Progress(), trust_pickle=True)
    assert trusted.weights == (f"clip_vit_b32={files / 'clip_vit_b32.pt'}",)


def test_all_released_leaves_nothing_out_without_a_word():
    class Told(Progress):
        said = ""

        def note(self, message):
            self.said += message + "\n"

        warn = note

    told = Told()
    words = released.everything(set(), told)
    assert "univfd=hub" in words
    assert "dire[adm]=hub" in words
    for name in (name for name in discover.methods() if issubclass(discover.method(name), Detector)):
        assert name in told.said or any(word.startswith((f"{name}=", f"{name}[")) for word in words)
    assert "defake is left out: its files are pickled" in told.said


def test_released_weights_read_no_artefacts_of_training():
    """DRCT's reconstructions, and the model that makes them, are not needed to score with its released weights."""
    (chosen,) = choose_methods("drct", MINI)
    fit = released.fit_of(chosen, "0" * 64, lambda role: "0" * 32)
    assert stages_of(fit) == ("test",)
    assert stages_of(replace(fit, protocol="raw")) == STAGES
