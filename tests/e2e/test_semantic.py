"""The chain behind SARE, from captions to a detector and to Δ, as a user calls it."""

import json

from tests.e2e.conftest import SUITE, bench

MORE = """
[methods.drct_sare]
sd_steps = 4
long_side = 32
drct_steps = 2
max_size = 32
crop_size = 56
depths = [1, 1, 1, 1]
width = 16
stride = 8
epochs = 1
batch_size = 16

[probes.lpips_shift]
steps = 4
long_side = 32
"""


def test_captions_reconstructions_fits_and_probes_chain_and_are_made_once(world, tmp_path):
    suite = tmp_path / "semantic.toml"
    head, methods = SUITE.split("all = [", 1)
    suite.write_text(head + 'all = ["drct_sare", "container"]\n' + methods.split("]", 1)[1] + MORE)
    _, _, *places = world.options("semantic")
    done = bench("run", "--protocols", "raw", "--suite", suite, *places)
    assert done.returncode == 0, done.stderr
    root = world.root / "semantic"
    rows = (root / "results" / "rows.csv").read_bytes()
    assert b"drct_sare" in rows
    engines = {json.loads(path.read_text())["engine"] for path in (root / "store" / "artefacts").glob("*/recipe.json")}
    assert engines == {"blip", "sd_img2img", "sd_inpaint", "lpips"}
    table = (root / "results" / "tables" / "genimage-raw-lpips-shift.csv").read_text().splitlines()
    assert len(table) == 1 + 2 * 2
    assert "Δ with captions" in done.stdout
    assert (root / "results" / "figures" / "genimage-raw-lpips-shift.png").stat().st_size > 10_000
    again = bench("run", "--protocols", "raw", "--suite", suite, *places, "--json")
    counts = json.loads(again.stdout)
    assert (counts["forwards"], counts["fits_trained"], counts["artefacts_made"]) == (0, 0, 0)
    assert (root / "results" / "rows.csv").read_bytes() == rows
    verified = bench("verify", "--results", root / "results")
    assert verified.returncode == 0, verified.stdout
    changed = root / "results" / "tables" / "genimage-raw-lpips-shift.csv"
    changed.write_text(changed.read_text().replace("0.", "1.", 1))
    assert bench("verify", "--results", root / "results").returncode == 1
