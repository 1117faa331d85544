"""Inference: one image through U-Net, DeepLabV3, LR-ASPP, SegFormer and a ViT with a linear head, with the same weights,
against PyTorch and ONNX Runtime.

BENCH_MODELS="unet_resnet34 …": which; BENCH_WARM_UP=2, BENCH_RUNS=9: forward passes of each process, untimed and timed.
"""
# targets: bench_inference sectile_backbone_resnet sectile_backbone_mobilenet_v3 sectile_model_unet_encoder sectile_model_deeplabv3 sectile_model_lraspp sectile_backbone_mit sectile_model_segformer sectile_backbone_vit sectile_model_vit_linear
import json
import os
import statistics
import subprocess
import sys
import tempfile

import harness

WARM_UP, RUNS = os.environ.get("BENCH_WARM_UP", "2"), os.environ.get("BENCH_RUNS", "9")
PEER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "peers/inference.py")
PROGRAM = os.path.join(os.path.dirname(harness.SECTILE), "bench_inference")
MODELS = {  # options, classes, height and width of the image
    "unet_resnet34": ({"type": "unet_encoder", "backbone": {"type": "resnet34"}}, 21, 512),
    "deeplabv3_resnet50": ({"type": "deeplabv3", "backbone": {"type": "resnet50"}}, 21, 520),
    "lraspp_mobilenet_v3_large": ({"type": "lraspp", "backbone": {"type": "mobilenet_v3_large"}}, 21, 520),
    "segformer_b0": ({"type": "segformer", "backbone": {"type": "mit_b0"}}, 150, 512),
    "vit_small_linear": ({"type": "vit_linear", "backbone": {"type": "vit_small", "image_size": 512}}, 150, 512),
}
# What bin/sectile sets for predict, before it starts the program that computes.
OURS = {"OMP_WAIT_POLICY": "passive", "MALLOC_MMAP_THRESHOLD_": "1073741824", "MALLOC_TRIM_THRESHOLD_": "2147483647",
        "MALLOC_TOP_PAD_": "268435456"}


def spec(model, classes, weights):
    return {"data": {"channels": 3, "classes": [{"name": f"class {i}"} for i in range(classes)]},
            "transforms": {"val": []}, "model": {**model, "weights": weights}}


def once(answers, name, command, env=None):
    def run():
        _, peak, out = harness.run(command, env=env)
        facts = json.loads(out)
        answers[name] = facts["logits"]
        return statistics.median(facts["ms"]), peak
    return run


wanted = os.environ.get("BENCH_MODELS", " ".join(MODELS)).split()
with open("/proc/cpuinfo") as file:
    print(json.dumps({"processor": next(line for line in file if line.startswith("model name")).split(":")[1].strip()}))
with tempfile.TemporaryDirectory() as folder:
    for model in wanted:
        options, classes, size = MODELS[model]
        weights, onnx = (os.path.join(folder, f"{model}.{ending}") for ending in ("pth", "onnx"))
        subprocess.run([sys.executable, PEER, "make", model, weights, onnx, str(size)], check=True)
        with open(os.path.join(folder, model + ".json"), "w") as file:
            json.dump(spec(options, classes, weights), file)
        answers, figures = {}, {}
        mine = once(answers, "ours", [PROGRAM, file.name, str(size), str(size), WARM_UP, RUNS], OURS)
        for variant in ("eager", "channels_last", "onnxruntime"):
            peer = once(answers, variant, [sys.executable, PEER, variant, model, onnx if variant == "onnxruntime" else
                                           weights, str(size), WARM_UP, RUNS])
            figures[f"inference/{model}/fp32/{variant}"] = (mine, peer)
        harness.compare(figures, "ms", larger_is_better=False)
        largest = max(map(abs, answers["eager"]))
        for variant, logits in answers.items():
            apart = max(abs(a - b) for a, b in zip(logits, answers["eager"])) / largest
            if apart > 1e-3:
                raise SystemExit(f"{model}: {variant} and eager differ by {apart} of the largest logit")
