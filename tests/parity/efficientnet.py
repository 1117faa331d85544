"""Features of EfficientNet: segmentation_models_pytorch 0.6.0's encoders, and torchvision 0.26's networks."""

import torch
import torchvision
from segmentation_models_pytorch.encoders import get_encoder

import name_hash
from network import expected, write


def encoder(number, **options):
    net = get_encoder(f"efficientnet-b{number}", weights=None, **options)
    net._drop_connect_rate = 0.0
    del net._conv_head, net._bn1  # never used
    return net


def features(net, images):
    return net(images)[1:]


odd, even, small = [2, 3, 97, 75], [2, 3, 64, 32], [2, 3, 65, 49]
networks = {
    f"b{number}": expected(encoder(number), [small if number == 4 else even], features, 8)
    for number in range(1, 8)
}
networks["b0"] = expected(encoder(0), [odd, even], features)
networks["b1_least"] = expected(encoder(1), [[4, 3, 16, 31]], features, 8)
networks["b0_output_stride_16"] = expected(encoder(0, output_stride=16), [small], features)
networks["b0_output_stride_8"] = expected(encoder(0, output_stride=8), [small], features)
networks["b3_output_stride_8"] = expected(encoder(3, output_stride=8), [[2, 3, 32, 64]], features, 8)


class OfTorchvision(torch.nn.Module):
    """The features of torchvision's network at strides 2 to 32, with the names of lukemelas/EfficientNet-PyTorch."""

    def __init__(self, number, ends):
        super().__init__()
        net = getattr(torchvision.models, f"efficientnet_b{number}")(stochastic_depth_prob=0.0)
        self._conv_stem, self._bn0 = net.features[0][0], net.features[0][1]
        self._blocks, self.ends = torch.nn.ModuleList(), ends
        for block in (block for stage in net.features[1:8] for block in stage):
            its = torch.nn.Module()
            its.has_shortcut = block.use_res_connect
            *expand, depthwise, squeeze, project = block.block
            if expand:
                its._expand_conv, its._bn0 = expand[0][0], expand[0][1]
            its._depthwise_conv, its._bn1 = depthwise[0], depthwise[1]
            its._se_reduce, its._se_expand = squeeze.fc1, squeeze.fc2
            its._project_conv, its._bn2 = project[0], project[1]
            self._blocks.append(its)

    def features(self, images):
        silu = torch.nn.functional.silu
        x = silu(self._bn0(self._conv_stem(images)))
        found = [x]
        for index, block in enumerate(self._blocks):
            y = silu(block._bn0(block._expand_conv(x))) if hasattr(block, "_expand_conv") else x
            y = silu(block._bn1(block._depthwise_conv(y)))
            y = y * torch.sigmoid(block._se_expand(silu(block._se_reduce(y.mean((2, 3), keepdim=True)))))
            y = block._bn2(block._project_conv(y))
            x = x + y if block.has_shortcut else y
            if index in self.ends:
                found.append(x)
        return found + [x]


def same_as_torchvision(net, number):
    """That this order of the layers is the original's."""
    original = getattr(torchvision.models, f"efficientnet_b{number}")(stochastic_depth_prob=0.0)
    flat = [value for name, value in original.state_dict().items() if not name.startswith(("features.8.", "classifier."))]
    mine = net.state_dict()
    assert [value.shape for value in flat] == [value.shape for value in mine.values()]
    net.load_state_dict(dict(zip(mine, flat)))
    images = name_hash.picture(2, 3, 65, 49).float()
    with torch.no_grad():
        assert torch.equal(net.eval().features(images)[-1], original.eval().features[:8](images))


for number, ends in ((0, (2, 4, 8)), (5, (7, 12, 26))):
    net = OfTorchvision(number, ends)
    same_as_torchvision(net, number)
    networks[f"torchvision_b{number}"] = expected(net, [odd if number == 0 else small], OfTorchvision.features, 8)
write(__file__, networks)
