from bench.results import illustrations
from bench.results.folder import Results
from bench.results.illustrations import Illustration


def test_illustrations_are_read_as_they_were_written(tmp_path):
    results = Results(tmp_path)
    assert illustrations.read(results) == []
    lines = [
        Illustration("genimage", "adm", "raw", "r1", "image", "", "", b"\x00\xffwebp"),
        Illustration("genimage", "adm", "raw", "r1", "text", "blip", "DE-FAKE, SemGIR", "a «dog»".encode()),
    ]
    illustrations.write(results, lines, "key")
    assert illustrations.read(results) == lines
    assert results.has_scores(results.illustrations, "key")
    illustrations.write(results, [], "none")
    assert illustrations.read(results) == []
