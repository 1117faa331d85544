"""Import this before mmseg: mmcv-lite has no compiled operators, and mmseg looks them up when it is imported."""

import sys
import types


class CompiledOperators(types.ModuleType):
    """Stands for mmcv's compiled extension; none of its functions is called here."""

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return lambda *arguments, **options: None


sys.modules["mmcv._ext"] = CompiledOperators("mmcv._ext")
