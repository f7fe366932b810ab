"""Open a user's TorchScript file; the program in it is run, so it must come from a trusted hand."""

import os
import warnings
import zipfile
from pathlib import Path, PurePosixPath

import numpy as np

from face_models.opened_models import Opened, one_line
from face_models.vector_cache import weight_file_key
from mask_utils.errors import UserError


def open_torchscript(path: Path) -> Opened:
    """Open a TorchScript file, made by torch.jit.trace or torch.jit.script and its save method.

    Args:
        path: the file. A pickled network (torch.save) is refused, since reading it would run
            whatever code it names.

    Returns:
        Opened; the file does not tell the size of its input, so any size is taken to fit.

    Raises:
        UserError: PyTorch is not installed, or the file is damaged or of another kind.
    """
    try:
        import torch
    except ImportError:
        raise UserError(f"{path} is read by PyTorch; run `pip install -e '.[torch]'`") from None
    key = weight_file_key(f"torchscript {torch.__version__}", path)
    _require_torchscript(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch.export is recommended in its place
            network = torch.jit.load(os.fspath(path), map_location="cpu").eval()
    except Exception as error:  # torch raises many kinds for a damaged file
        raise UserError(
            f"{path}: expected a TorchScript file that PyTorch {torch.__version__} reads; got "
            f"{one_line(error)}; save it again"
        ) from None

    def run(batch: np.ndarray) -> list:
        try:
            with torch.inference_mode():
                found = network(torch.from_numpy(batch))
        except RuntimeError as error:  # the reason is the last line, after the network's source
            raise RuntimeError(str(error).strip().splitlines()[-1]) from None
        if isinstance(found, dict):
            found = tuple(found.values())
        outputs = found if isinstance(found, (tuple, list)) else (found,)
        return [one.float().numpy() if isinstance(one, torch.Tensor) else one for one in outputs]

    return Opened((None, 3, None, None), np.dtype(np.float32), run, (path,), key)


def _require_torchscript(path: Path) -> None:
    """Refuse what is not TorchScript by the names in its archive, before PyTorch opens it."""
    wanted = "expected TorchScript, from torch.jit.trace(model, example).save(path)"
    with path.open("rb") as file:
        begins_as = file.read(2)
    try:
        with zipfile.ZipFile(path) as archive:
            names = [PurePosixPath(name).parts[1:] for name in archive.namelist()]
    except zipfile.BadZipFile:
        got = "a truncated or damaged file; copy or save it again"
        if begins_as[:1] == b"\x80":
            got = "a pickled object, which is not opened, since that runs code; save it so"
        elif begins_as != b"PK":
            got = "a file of another kind; save it so"
        raise UserError(f"{path}: {wanted}; got {got}") from None
    if ("constants.pkl",) not in names:
        raise UserError(
            f"{path}: {wanted}; got a pickled object (torch.save), which is not opened, since that "
            "runs code; save it so"
        )
