"""Choices that commands and config.json share; nothing heavy is imported here."""

FACES = ("masked", "unmasked")
SPLITS = ("random", "uniform")
"""How pictures are divided; see AJCAI2021.splits."""
TRANSFORMS = ("none", "simple", "complex")
"""How training pictures are varied; see attribute_models.data.AUGMENTATIONS."""
BACKBONES = ("resnet50", "dlib")
IMAGE_SIZES = {"resnet50": 224, "dlib": 150}
"""Side of the pictures that each backbone was made for, in pixels."""
ALIGNMENTS = ("found", "A")
"""How the chips of the dlib backbone are cut: by five points found on the picture as it is, masked
or not, or by the landmarks of the unmasked picture."""
