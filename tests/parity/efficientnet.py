"""Features of EfficientNet: segmentation_models_pytorch 0.6.0's encoders."""

from segmentation_models_pytorch.encoders import get_encoder

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
write(__file__, networks)
