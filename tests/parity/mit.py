"""Expected values of the Mix Transformers of SegFormer alone, levels of strides 4 to 32:

    python tests/parity/mit.py   # with transformers 5.23 and segmentation_models_pytorch 0.6.0

"mit_b0 smp" has the epsilon of SegFormer's own code, 1e-6. "eps" has both epsilons where the first norm of the blocks
sees values of tiny variance: after weights by name, the weights and biases of the patch embeddings' norms are
multiplied by the case's "factor".
"""

import segmentation_models_pytorch as smp
import torch
from transformers import SegformerConfig, SegformerModel

import name_hash
import network
from renamed import MIT_OF_SMP, SEGFORMER, Renamed, by_rules

SIZES = {
    "mit_b0": ([32, 64, 160, 256], [2, 2, 2, 2]),
    "mit_b1": ([64, 128, 320, 512], [2, 2, 2, 2]),
    "mit_b2": ([64, 128, 320, 512], [3, 4, 6, 3]),
    "mit_b3": ([64, 128, 320, 512], [3, 4, 18, 3]),
    "mit_b4": ([64, 128, 320, 512], [3, 8, 27, 3]),
    "mit_b5": ([64, 128, 320, 512], [3, 6, 40, 3]),
}
ODD, EVEN, SMALL = [2, 3, 97, 75], [1, 3, 64, 96], [1, 3, 65, 70]
FACTOR = 0.003


def configuration(name, **more):
    channels, depths = SIZES[name]
    return SegformerConfig(hidden_sizes=channels, depths=depths, **more)


def levels(net, images):
    return list(net(images, output_hidden_states=True).hidden_states)


def original(name):
    return Renamed(SegformerModel(configuration(name)), by_rules(SEGFORMER), levels)


def of_smp(net, images):
    return net(images)[2:]  # without the image, and without the level of stride 2, which has no channels


def set_eps(net, eps):
    """As SegFormer's own code has it: that of the norms of blocks and stages."""
    for name, module in net.named_modules():
        if isinstance(module, torch.nn.LayerNorm) and not ("patch_embeddings" in name or "reduction" in name):
            module.eps = eps
    return net


def at_tiny_variance(eps):
    net = Renamed(set_eps(SegformerModel(configuration("mit_b0")), eps), by_rules(SEGFORMER), levels).eval()
    name_hash.fill(net)
    with torch.no_grad():
        for name, tensor in net.state_dict().items():
            if "patch_embeddings" in name and "layer_norm" in name:
                tensor.mul_(FACTOR)
        outputs = net(name_hash.picture(*EVEN).double())
    return {"input": EVEN, "eps": eps, "factor": FACTOR, "eval": [network.sample(output, 8) for output in outputs]}


def main():
    networks = {"mit_b0": network.expected(original("mit_b0"), [ODD, EVEN], network.run, 12)}
    for name in list(SIZES)[1:]:
        networks[name] = network.expected(original(name), [SMALL], network.run, 8)
    net = Renamed(smp.encoders.get_encoder("mit_b0", weights=None), by_rules(MIT_OF_SMP), of_smp)
    networks["mit_b0 smp"] = network.expected(net, [ODD], network.run, 12)
    networks["eps"] = {"cases": [at_tiny_variance(1e-5), at_tiny_variance(1e-6)]}
    network.write(__file__, networks)


if __name__ == "__main__":
    main()
