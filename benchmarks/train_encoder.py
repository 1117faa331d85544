"""Training speed of a U-Net with a ResNet-34 encoder, against segmentation_models_pytorch (training.py)."""
# targets: sectile_dataset_image_folder sectile_model_unet_encoder sectile_backbone_resnet sectile_loss_cross_entropy sectile_metric_iou sectile_optimizer_adamw sectile_schedule_constant sectile_sampler_shuffle sectile_transform_random_scale sectile_transform_pad sectile_transform_random_crop sectile_transform_horizontal_flip sectile_transform_brightness_contrast sectile_transform_normalize
# data: camvid
import training

training.figures("train_encoder", {"type": "unet_encoder", "backbone": {"type": "resnet34"}}, "unet_resnet34")
