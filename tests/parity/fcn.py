"""Expected values of torchvision's FCNs, with their auxiliary heads: python fcn.py"""

import torchvision

import network


def outputs(net, images):
    made = net(images)
    return [made["out"], made["aux"]] if net.training else [made["out"]]


def fcn(backbone):
    make = getattr(torchvision.models.segmentation, f"fcn_{backbone}")
    return make(weights=None, weights_backbone=None, aux_loss=True)


def main():
    networks = {
        "resnet50": network.expected(fcn("resnet50"), [[2, 3, 97, 75]], outputs),
        "resnet101": network.expected(fcn("resnet101"), [[2, 3, 33, 48]], outputs),
    }
    network.write(__file__, networks)


if __name__ == "__main__":
    main()
