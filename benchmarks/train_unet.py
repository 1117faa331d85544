"""Training speed of a U-Net of widths 32 to 512, against plain PyTorch (training.py)."""
# targets: sectile_dataset_image_folder sectile_model_unet sectile_loss_cross_entropy sectile_metric_iou sectile_optimizer_adamw sectile_schedule_constant sectile_sampler_shuffle sectile_transform_random_scale sectile_transform_pad sectile_transform_random_crop sectile_transform_horizontal_flip sectile_transform_brightness_contrast sectile_transform_normalize
# data: camvid
import training

training.figures("train_unet", {"type": "unet", "widths": [32, 64, 128, 256, 512]}, "unet")
