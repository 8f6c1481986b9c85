"""litdata, which reads and writes the chunks: an optional extra, imported at first need."""

from __future__ import annotations

import importlib.util
import os
from types import ModuleType

from ae_lightning.errors import ConfigError


def require_litdata(what: str) -> ModuleType:
    """Import litdata's readers and writers.

    Args:
        what: Needs it; begins the message.

    Raises:
        ConfigError: If it is not installed.
    """
    if importlib.util.find_spec("litdata") is None:
        raise ConfigError(f"{what} needs the package litdata: pip install 'ae_lightning[stream]'")
    # Versions that ask the package index at every start, whether there is a newer one, are told not to.
    os.environ.setdefault("LITDATA_DISABLE_VERSION_CHECK", "1")
    import litdata.streaming  # type: ignore[import-untyped]

    module: ModuleType = litdata.streaming
    return module
