"""Training speed of SegFormer-B0, against Hugging Face's transformers (training.py)."""
# targets: sectile_dataset_image_folder sectile_model_segformer sectile_backbone_mit sectile_loss_cross_entropy sectile_metric_iou sectile_optimizer_adamw sectile_schedule_constant sectile_sampler_shuffle sectile_transform_random_scale sectile_transform_pad sectile_transform_random_crop sectile_transform_horizontal_flip sectile_transform_brightness_contrast sectile_transform_normalize
# data: camvid
import training

training.figures("train_transformer", {"type": "segformer", "backbone": {"type": "mit_b0"}}, "segformer_b0")
