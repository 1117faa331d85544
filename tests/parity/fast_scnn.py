"""Writes the expected values of Fast-SCNN, from mmsegmentation's own configuration: python fast_scnn.py"""

from pathlib import Path

import torch

import mmseg_operators  # noqa: F401
import mmseg
import name_hash
from mmengine.config import Config
from mmseg.registry import MODELS
from mmseg.utils import register_all_modules

register_all_modules()


def configuration():
    config = Config.fromfile(Path(mmseg.__file__).parent / ".mim/configs/_base_/models/fast_scnn.py").model
    for part in (config.backbone, config.decode_head, *config.auxiliary_head):
        part.norm_cfg.type = "BN"
    return config


def main():
    net = MODELS.build(configuration()).eval()
    name_hash.fill(net)
    cases = []
    for shape in ([1, 3, 64, 96], [2, 3, 75, 101]):
        with torch.no_grad():
            features = net.backbone(name_hash.picture(*shape))
            heads = [net.decode_head, *net.auxiliary_head]
            cases.append({"input": shape, "outputs": [head(features) for head in heads]})
    name_hash.write(__file__, "fast_scnn", net, cases)


if __name__ == "__main__":
    main()
