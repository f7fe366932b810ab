import pytest

from DICTA2021 import draw_network, network_figure
from mask_utils.images import read_picture


def test_numbers_are_those_of_the_network():
    numbers = network_figure.read_numbers()
    assert numbers.picture == (224, 224, 3)
    sides, channels = (56, 56, 28, 14, 7), (64, 256, 512, 1024, 2048)
    assert numbers.stages == tuple((s, s, c) for s, c in zip(sides, channels, strict=True))
    assert (numbers.features, numbers.projection) == (2048, 512)
    # 2048 x 512 + 512 and 512 + 1 weights.
    assert numbers.head_weights == 1_049_088 + 513
    figure = network_figure.draw(numbers)
    texts = {text.get_text() for text in figure.axes[0].texts}
    assert {"2048", "512", "1", "7²\n× 2048", "reference\n224 × 224 × 3"} <= texts


def test_command_writes_png_and_pdf(tmp_path, capsys):
    assert draw_network.main(["--output", str(tmp_path / "new"), "--pdf"]) == 0
    assert read_picture(tmp_path / "new" / "siamese_network.png").shape == (864, 2080, 3)
    assert (tmp_path / "new" / "siamese_network.pdf").read_bytes().startswith(b"%PDF")
    assert len(list((tmp_path / "new").iterdir())) == 2
    assert capsys.readouterr().out.count("siamese_network") == 2


def test_unwritable_folder_is_one_line(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert draw_network.main(["--output", str(tmp_path / "file")]) == 1
    assert capsys.readouterr().err.count("\n") == 1


def test_wrong_usage_exits_2():
    with pytest.raises(SystemExit) as stop:
        draw_network.main(["--png"])
    assert stop.value.code == 2
